import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DROPS = /counter packets (\d+) bytes/
const RTP_PORTS = '10000-10020'
const FIRST_RTP_PORT = 10_000
/** A phone takes a pair; the rest of its range is for the ones that are taken. */
const RTP_PORTS_OF_A_PHONE = 20
const FIRST_SIP_PORT = 5060
/** It takes the next one as well, for TLS. */
const SIP_PORTS_OF_A_PHONE = 2
const STOP_MS = 4000

type Space = 'caller' | 'router' | 'callee'

/** Where the agents of all rows reach the collector: the near end of every row's management wire. */
export const COLLECTOR_ADDRESS = '10.78.0.1'

const NEEDED_PROGRAMS = ['ip', 'nft', 'baresip', 'tcpdump', 'tshark'] as const

/** Why no row can be built here, or undefined when one can. */
export function whyNoRow(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const missing = NEEDED_PROGRAMS.filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  )
  return missing.length > 0 ? `missing: ${missing.join(', ')}` : undefined
}

/**
 * Three network namespaces in a row, joined by veth: a caller, a router that can drop packets in its forward hook, a callee with the agent
 * beside it. A management wire joins the callee's namespace to ours, for the agent's pushes.
 *
 *   caller 10.77.i.2 --- 10.77.i.1 router 10.77.i.129 --- 10.77.i.130 callee, agent --- 10.78.0.1 collector
 */
export class CallRow {
  readonly index: number
  readonly callerAddress: string
  readonly calleeAddress: string
  readonly callerNetwork: string
  readonly calleeNetwork: string
  readonly tap = 'callee'
  readonly #folder: string
  readonly #spaces: Readonly<Record<Space, string>>
  readonly #children = new Set<ChildProcess>()
  readonly #callers: ChildProcess[] = []

  constructor(index: number, folder: string) {
    this.index = index
    this.#folder = join(folder, `row-${index}`)
    this.callerAddress = `10.77.${index}.2`
    this.calleeAddress = `10.77.${index}.130`
    this.callerNetwork = `10.77.${index}.0/25`
    this.calleeNetwork = `10.77.${index}.128/25`
    this.#spaces = {
      caller: `kiestoon-${index}-a`,
      router: `kiestoon-${index}-m`,
      callee: `kiestoon-${index}-b`,
    }
  }

  async open(): Promise<void> {
    const { caller, router, callee } = this.#spaces
    this.#removeNamespaces()
    for (const space of [caller, router, callee]) {
      ip('netns', 'add', space)
      ip('-n', space, 'link', 'set', 'lo', 'up')
    }
    ip(
      'link',
      'add',
      'router',
      'netns',
      caller,
      'type',
      'veth',
      'peer',
      'name',
      'caller',
      'netns',
      router,
    )
    ip(
      'link',
      'add',
      this.tap,
      'netns',
      callee,
      'type',
      'veth',
      'peer',
      'name',
      'callee',
      'netns',
      router,
    )
    const wire = `kiestoon-${this.index}`
    ip('link', 'add', wire, 'type', 'veth', 'peer', 'name', 'manage', 'netns', callee)
    const manageAddress = `10.78.${this.index}.2`
    ip('addr', 'add', `${COLLECTOR_ADDRESS}/32`, 'peer', `${manageAddress}/32`, 'dev', wire)
    ip(
      '-n',
      callee,
      'addr',
      'add',
      `${manageAddress}/32`,
      'peer',
      `${COLLECTOR_ADDRESS}/32`,
      'dev',
      'manage',
    )
    ip('-n', caller, 'addr', 'add', `${this.callerAddress}/25`, 'dev', 'router')
    ip('-n', router, 'addr', 'add', `10.77.${this.index}.1/25`, 'dev', 'caller')
    ip('-n', router, 'addr', 'add', `10.77.${this.index}.129/25`, 'dev', 'callee')
    ip('-n', callee, 'addr', 'add', `${this.calleeAddress}/25`, 'dev', this.tap)
    ip('link', 'set', wire, 'up')
    for (const [space, device] of [
      [callee, 'manage'],
      [caller, 'router'],
      [router, 'caller'],
      [router, 'callee'],
      [callee, this.tap],
    ] as const) {
      ip('-n', space, 'link', 'set', device, 'up')
    }
    ip('-n', caller, 'route', 'add', '10.77.0.0/16', 'via', `10.77.${this.index}.1`)
    ip('-n', callee, 'route', 'add', '10.77.0.0/16', 'via', `10.77.${this.index}.129`)
    ip('netns', 'exec', router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
    this.#nft('add table ip lab; add chain ip lab wire { type filter hook forward priority 0; }')
    await mkdir(this.#folder, { recursive: true })
  }

  /**
   * Two real SIP user agents set up a G.711 call and hold it; resolves when both sides say it is established.
   * @param line a number for each call of the row
   */
  async call(line = 0): Promise<void> {
    const callee = await this.#phone('callee', line, 'answermode=auto', [])
    await saying(callee, 'baresip is ready')
    const peer = `${this.calleeAddress}:${sipPort(line)}`
    const caller = await this.#phone('caller', line, 'answermode=manual', [
      '-e',
      `/dial sip:phone@${peer}`,
    ])
    this.#callers.push(caller)
    await Promise.all([saying(callee, 'Call established'), saying(caller, 'Call established')])
  }

  /** Takes the wire between the router and the callee away, and puts it back. */
  cut(): void {
    ip('-n', this.#spaces.router, 'link', 'set', 'callee', 'down')
  }

  mend(): void {
    ip('-n', this.#spaces.router, 'link', 'set', 'callee', 'up')
  }

  /** All callers hang up. */
  async hangUp(): Promise<void> {
    await Promise.all(this.#callers.splice(0).map(end))
  }

  /** RTP from caller to callee is dropped when this nftables expression matches, such as `numgen random mod 1000 < 80`. */
  drop(expression: string): void {
    this.#nft(
      `add rule ip lab wire udp dport ${RTP_PORTS} ip daddr ${this.calleeAddress} ${expression} counter drop`,
    )
  }

  /** How many packets the rule has dropped so far: the truth. */
  dropped(): number {
    return Number(DROPS.exec(this.#nft('list chain ip lab wire'))?.[1] ?? 0)
  }

  heal(): void {
    this.#nft('flush chain ip lab wire')
  }

  /** A capture of everything the callee's interface sees, into a file, until the row closes or `end` of the child. */
  async record(file: string): Promise<() => Promise<void>> {
    const tcpdump = this.#run('callee', [
      'tcpdump',
      '-i',
      this.tap,
      '-n',
      '-p',
      '-U',
      '-w',
      file,
      '-Z',
      'root',
      'udp',
    ])
    await saying(tcpdump, 'listening on')
    return async () => {
      await end(tcpdump)
    }
  }

  /** One of our programs beside the callee, with the configuration given. */
  async agent(config: string): Promise<ChildProcess> {
    const file = join(this.#folder, 'agent.yaml')
    await writeFile(file, config)
    const program = fileURLToPath(new URL('../../dist/agent/main.js', import.meta.url))
    return this.#run('callee', [process.execPath, program, 'run', '--config', file])
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map(end))
    this.#removeNamespaces()
  }

  async #phone(
    side: 'caller' | 'callee',
    line: number,
    mode: string,
    args: readonly string[],
  ): Promise<ChildProcess> {
    const address = side === 'caller' ? this.callerAddress : this.calleeAddress
    const folder = join(this.#folder, `${side}-${line}`)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'config'), baresipConfig(line))
    await writeFile(join(folder, 'contacts'), '')
    await writeFile(
      join(folder, 'accounts'),
      `<sip:phone@${address}:${sipPort(line)}>;regint=0;${mode};audio_codecs=PCMA/8000/1\n`,
    )
    return this.#run(side, ['baresip', '-4', '-f', folder, ...args])
  }

  #run(side: Space, command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#spaces[side], ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    // What is not read would stop the child once the pipe is full.
    child.stdout.resume()
    child.stderr.resume()
    return child
  }

  #nft(command: string): string {
    const { status, stdout, stderr } = spawnSync(
      'ip',
      ['netns', 'exec', this.#spaces.router, 'nft', command],
      { encoding: 'utf8' },
    )
    if (status !== 0) throw new Error(`nft ${command}: ${stderr}`)
    return stdout
  }

  #removeNamespaces(): void {
    spawnSync('ip', ['link', 'del', `kiestoon-${this.index}`])
    for (const space of Object.values(this.#spaces)) spawnSync('ip', ['netns', 'del', space])
  }
}

function sipPort(line: number): number {
  return FIRST_SIP_PORT + line * SIP_PORTS_OF_A_PHONE
}

/** Baresip with a tone for a microphone, no loudspeaker, and nothing else. */
function baresipConfig(line: number): string {
  const rtpPort = FIRST_RTP_PORT + line * RTP_PORTS_OF_A_PHONE
  return `poll_method epoll
sip_listen 0.0.0.0:${sipPort(line)}
audio_player aufile,/dev/null
audio_source ausine,440
audio_alert aufile,/dev/null
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 2
auplay_channels 2
rtp_ports ${rtpPort}-${rtpPort + RTP_PORTS_OF_A_PHONE}
module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module aufile.so
module_app account.so
module_app menu.so
`
}

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** Resolves when the child prints the text; rejects when it ends first. */
async function saying(child: ChildProcess, text: string): Promise<void> {
  let seen = ''
  await new Promise<void>((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      seen = (seen + chunk.toString()).slice(-4000)
      if (!seen.includes(text)) return
      child.stdout?.off('data', look)
      child.stderr?.off('data', look)
      resolve()
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.once('exit', (code) => {
      reject(new Error(`ended with ${code ?? 'a signal'} before saying "${text}": ${seen}`))
    })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const insist = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(insist)
}
