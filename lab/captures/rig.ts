import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Three network namespaces in a row, joined by veth, IPv4 and IPv6: a caller, a router that can drop packets or run a server, a callee.
 *
 *   caller 10.79.1.2 --- 10.79.1.1 router 10.79.2.1 --- 10.79.2.2 callee        (fd79:1::2 ... fd79:2::2)
 */

export type Space = 'caller' | 'router' | 'callee'

export const CALLER = '10.79.1.2'
export const CALLEE = '10.79.2.2'
export const ROUTER = '10.79.2.1'
export const CALLER_V6 = 'fd79:1::2'
export const CALLEE_V6 = 'fd79:2::2'

const DEFAULT_PREFIX = 'kiestoon-cap'
const STOP_MS = 4000
const SAY_LIMIT_MS = 15_000
const MAX_SEEN = 8000
/** Everything, SIP bodies included. */
const SNAP_OCTETS = '65535'

/** The namespaces and every process started in them; close() ends and removes all of it. */
export class Rig {
  readonly folder: string
  readonly #prefix: string
  readonly #children = new Set<ChildProcess>()

  private constructor(folder: string, prefix: string) {
    this.folder = folder
    this.#prefix = prefix
  }

  /** @param prefix of the names of the namespaces; there is one rig of each */
  static async open(folder: string, prefix = DEFAULT_PREFIX): Promise<Rig> {
    const rig = new Rig(folder, prefix)
    const nameOf = (space: Space): string => rig.#nameOf(space)
    const inside = (space: Space, ...command: readonly string[]): void => {
      rig.#inside(space, ...command)
    }
    rig.#removeSpaces()
    await mkdir(folder, { recursive: true })
    for (const space of ['caller', 'router', 'callee'] as const) {
      ip('netns', 'add', nameOf(space))
      ip('-n', nameOf(space), 'link', 'set', 'lo', 'up')
    }
    wire(nameOf('caller'), 'eth0', nameOf('router'), 'eth1')
    wire(nameOf('callee'), 'eth0', nameOf('router'), 'eth2')
    address(nameOf('caller'), 'eth0', `${CALLER}/24`, `${CALLER_V6}/64`)
    address(nameOf('callee'), 'eth0', `${CALLEE}/24`, `${CALLEE_V6}/64`)
    address(nameOf('router'), 'eth1', '10.79.1.1/24', 'fd79:1::1/64')
    address(nameOf('router'), 'eth2', `${ROUTER}/24`, 'fd79:2::1/64')
    for (const [space, device] of [
      ['caller', 'eth0'],
      ['callee', 'eth0'],
      ['router', 'eth1'],
      ['router', 'eth2'],
    ] as const)
      ip('-n', nameOf(space), 'link', 'set', device, 'up')
    for (const [space, gateway, gatewayV6] of [
      ['caller', '10.79.1.1', 'fd79:1::1'],
      ['callee', ROUTER, 'fd79:2::1'],
    ] as const) {
      ip('-n', nameOf(space), 'route', 'add', 'default', 'via', gateway)
      ip('-n', nameOf(space), '-6', 'route', 'add', 'default', 'via', gatewayV6)
    }
    inside('router', 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1')
    inside('router', 'nft', 'add table inet lab')
    inside(
      'router',
      'nft',
      [
        'add chain inet lab wire { type filter hook forward priority 0; }',
        'add chain inet lab turn { type nat hook prerouting priority -100; }',
        'add chain inet lab raw { type filter hook prerouting priority -300; }',
      ].join('; '),
    )
    return rig
  }

  /** A process in a namespace; its output is read and thrown away, but for what says() waits for. */
  run(space: Space, command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#nameOf(space), ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: this.folder,
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    child.stdout.resume()
    child.stderr.resume()
    return child
  }

  /** Records what the interface sees; the function returned ends the recording. */
  async record(space: Space, device: string, file: string): Promise<() => Promise<void>> {
    const tcpdump = this.run(space, [
      'tcpdump',
      ...['-i', device, '-n', '-p', '-U', '-s', SNAP_OCTETS, '-Z', 'root'],
      ...['-w', file, 'udp or tcp'],
    ])
    await saying(tcpdump, 'listening on')
    return async () => {
      await end(tcpdump)
    }
  }

  /** Packets through the router that match are dropped: `ip daddr 10.79.2.2 udp dport 10000 numgen inc mod 25 == 7`. */
  drop(expression: string): void {
    this.#inside('router', 'nft', `add rule inet lab wire ${expression} counter drop`)
  }

  /** Packets that arrive in a namespace and match are dropped, until healed. */
  dropAt(space: Space, expression: string): void {
    this.#inside(
      space,
      'nft',
      `add table inet loss; add chain inet loss arrivals { type filter hook prerouting priority -400; }; add rule inet loss arrivals ${expression} counter drop`,
    )
  }

  healAt(space: Space): void {
    this.#inside(space, 'nft', 'delete table inet loss')
  }

  /** What matches goes to a port of the router itself. The other direction is not tracked, or it would own the flow. */
  redirect(expression: string, otherDirection: string, port: number): void {
    this.#inside('router', 'nft', `add rule inet lab raw ${otherDirection} notrack`)
    this.#inside('router', 'nft', `add rule inet lab turn ${expression} redirect to :${port}`)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map(end))
    this.#removeSpaces()
  }

  #removeSpaces(): void {
    for (const space of ['caller', 'router', 'callee'] as const)
      spawnSync('ip', ['netns', 'del', this.#nameOf(space)])
  }

  #nameOf(space: Space): string {
    return `${this.#prefix}-${space}`
  }

  #inside(space: Space, ...command: readonly string[]): void {
    ip('netns', 'exec', this.#nameOf(space), ...command)
  }
}

/** Resolves when the child prints the text; rejects when it ends first, or takes too long. */
export async function saying(child: ChildProcess, text: string): Promise<void> {
  let seen = ''
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => {
      reject(new Error(`"${text}" was not said: ${seen}`))
    }, SAY_LIMIT_MS)
    const look = (chunk: Buffer): void => {
      seen = (seen + chunk.toString()).slice(-MAX_SEEN)
      if (!seen.includes(text)) return
      child.stdout?.off('data', look)
      child.stderr?.off('data', look)
      clearTimeout(limit)
      resolve()
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.once('exit', (code) => {
      clearTimeout(limit)
      reject(new Error(`ended with ${code ?? 'a signal'} before saying "${text}": ${seen}`))
    })
  })
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const insist = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(insist)
}

export function fileIn(rig: Rig, name: string): string {
  return join(rig.folder, name)
}

function wire(a: string, aDevice: string, b: string, bDevice: string): void {
  const peer = ['peer', 'name', bDevice, 'netns', b]
  ip('link', 'add', aDevice, 'netns', a, 'type', 'veth', ...peer)
}

function address(space: string, device: string, v4: string, v6: string): void {
  ip('-n', space, 'addr', 'add', v4, 'dev', device)
  ip('-n', space, '-6', 'addr', 'add', v6, 'dev', device, 'nodad')
}

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}
