import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { PermanentError, TransientError } from '../../common/errors.ts'
import type { Network } from './address.ts'
import type { StreamFilter } from './stream-filter.ts'

/**
 * The live tap: Debian's tcpdump, the one program that is granted capture rights. It gets a fixed list of arguments made of checked
 * values and a snap length that ends after the RTP header.
 */

/** Ethernet with two VLAN tags, IPv6, UDP, RTP, and 14 octets for IPv4 options or the first CSRCs. */
const SNAP_OCTETS = 96
/** IFNAMSIZ of Linux is 16 with the zero at its end. The first character keeps it from being taken for an option. */
const INTERFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._@:-]{0,14}$/
const MAX_PORT = 65_535
/** ARPHRD_ETHER and ARPHRD_LOOPBACK: links whose frames may carry VLAN tags. */
const ETHERNET_TYPES: readonly string[] = ['1', '772']
const LISTENING = /listening on /
/** Both the line of SIGUSR1 and the lines printed at the end. */
const CAPTURED = /(\d+) packets? captured/
const DROPPED = /(\d+) packets? dropped by kernel/
const COUNTER = /\d+ packets? /
const NO_PERMISSION = /permission|Operation not permitted/i
const REMEDY =
  'run the agent as root, or grant it: setcap cap_net_raw+ep "$(command -v tcpdump)" and, where only a group may run tcpdump, adduser kiestoon pcap'
const MAX_LINE_LENGTH = 1000
const MAX_COMPLAINTS = 3

export interface TapOptions {
  readonly interface: string
  readonly filter: StreamFilter
  /** Kernel buffer for packets not read yet. */
  readonly bufferKib: number
  /** Another program in place of tcpdump. */
  readonly program?: string
}

/** Counters since tcpdump was started. */
export interface TapStatistics {
  /** Packets handed to us. */
  readonly captured: number
  /** Packets the kernel dropped because nobody read them in time. On loopback each counts twice: once going out, once coming in. */
  readonly dropped: number
}

export function isInterfaceName(text: string): boolean {
  return INTERFACE_NAME.test(text)
}

export function tcpdumpArguments(options: TapOptions, mayHaveVlans: boolean): readonly string[] {
  if (!isInterfaceName(options.interface))
    throw new PermanentError('bad-interface', `"${options.interface}" is no interface name`)
  const filter = filterExpression(options.filter)
  return [
    ...['-i', options.interface],
    // no names, not promiscuous
    ...['-n', '-p'],
    ...['-s', String(SNAP_OCTETS)],
    ...['-B', String(options.bufferKib)],
    '--time-stamp-precision=micro',
    // to stdout, each packet when it comes
    ...['-U', '-w', '-'],
    // `vlan` moves what follows it behind one more tag: untagged, tagged and QinQ
    mayHaveVlans ? `(${filter}) or (vlan and ${filter}) or (vlan and ${filter})` : filter,
  ]
}

/** The filter in the language of pcap-filter(7). Everything in it is a number or a network that was parsed and printed anew. */
export function filterExpression({ ports, networks, from, to }: StreamFilter): string {
  const parts = ['udp']
  if (ports.from > 0 || ports.to < MAX_PORT) parts.push(`portrange ${ports.from}-${ports.to}`)
  if (networks.length > 0) parts.push(anyOf('net', networks))
  if (from.length > 0) parts.push(anyOf('src net', from))
  if (to.length > 0) parts.push(anyOf('dst net', to))
  return parts.join(' and ')
}

/** One run of tcpdump. */
export class Tcpdump {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #ended: Promise<string>
  #partialLine = ''
  /** The newest lines on stderr that are no counters: among them why it ended. */
  #complaints: readonly string[] = []
  #statistics: TapStatistics = { captured: 0, dropped: 0 }
  #onStatistics: () => void = () => undefined
  #onListening: () => void = () => undefined
  #hasEnded = false

  private constructor(
    child: ChildProcessByStdio<null, Readable, Readable>,
    onData: (octets: Uint8Array) => void,
  ) {
    this.#child = child
    child.stdout.on('data', onData)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#readStderr(text)
    })
    this.#ended = new Promise((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        this.#hasEnded = true
        resolve(error.code === 'ENOENT' ? 'ENOENT' : error.message)
      })
      child.once('close', (code, signal) => {
        this.#hasEnded = true
        const words = this.#complaints.join(' ').replace(/^tcpdump: /, '')
        resolve(words === '' ? `tcpdump ended with ${code ?? signal ?? 'no code'}` : words)
      })
    })
  }

  /**
   * Starts capturing; resolves when tcpdump listens.
   * @throws PermanentError when tcpdump is missing or has no right to capture; TransientError when it ends for another reason
   */
  static async start(
    options: TapOptions,
    onData: (octets: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<Tcpdump> {
    const list = tcpdumpArguments(options, await mayHaveVlans(options.interface))
    const child = spawn(options.program ?? 'tcpdump', list, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Debian 11 keeps it where only root's PATH looks.
      env: { LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    })
    const tcpdump = new Tcpdump(child, onData)
    const listening = new Promise<undefined>((resolve) => {
      tcpdump.#onListening = () => {
        resolve(undefined)
      }
    })
    const reason = await Promise.race([listening, tcpdump.#ended, aborted(signal)])
    if (reason === undefined) return tcpdump
    child.kill('SIGKILL')
    await tcpdump.#ended
    if (reason === 'ENOENT')
      throw new PermanentError(
        'tcpdump-missing',
        'tcpdump is not installed: apt-get install tcpdump',
      )
    if (NO_PERMISSION.test(reason))
      throw new PermanentError(
        'capture-not-permitted',
        `no right to capture on ${options.interface}: ${REMEDY}`,
      )
    throw new TransientError('capture-failed', `cannot capture on ${options.interface}: ${reason}`)
  }

  /** Resolves with the reason when tcpdump has ended, asked or not. */
  get ended(): Promise<string> {
    return this.#ended
  }

  /** The newest counters known; complete once it has ended. */
  get statistics(): TapStatistics {
    return this.#statistics
  }

  /** Asks for the counters of now. When the signal fires first, or tcpdump ends, those of before are returned. */
  async readStatistics(signal: AbortSignal): Promise<TapStatistics> {
    if (this.#hasEnded) return this.#statistics
    const printed = new Promise<void>((resolve) => {
      this.#onStatistics = resolve
    })
    this.#child.kill('SIGUSR1')
    await Promise.race([printed, this.#ended, aborted(signal)])
    return this.#statistics
  }

  /** Ends tcpdump; what it has still comes. When the signal fires it is killed. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#child.kill('SIGTERM')
    await Promise.race([this.#ended, aborted(signal)])
    if (this.#hasEnded) return
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #readStderr(text: string): void {
    const lines = (this.#partialLine + text).split('\n')
    this.#partialLine = (lines.pop() ?? '').slice(-MAX_LINE_LENGTH)
    for (const line of lines) this.#readLine(line)
  }

  #readLine(line: string): void {
    const captured = CAPTURED.exec(line)?.[1]
    const dropped = DROPPED.exec(line)?.[1]
    this.#statistics = {
      captured: Number(captured ?? this.#statistics.captured),
      dropped: Number(dropped ?? this.#statistics.dropped),
    }
    if (dropped !== undefined) this.#onStatistics()
    if (LISTENING.test(line)) this.#onListening()
    else if (!COUNTER.test(line) && line !== '')
      this.#complaints = [...this.#complaints, line.slice(0, MAX_LINE_LENGTH)].slice(
        -MAX_COMPLAINTS,
      )
  }
}

async function mayHaveVlans(name: string): Promise<boolean> {
  if (!isInterfaceName(name)) return false
  const type = await readFile(`/sys/class/net/${name}/type`, 'utf8').catch(() => '')
  return ETHERNET_TYPES.includes(type.trim())
}

function anyOf(primitive: string, networks: readonly Network[]): string {
  return `(${networks.map(({ cidr }) => `${primitive} ${cidr}`).join(' or ')})`
}

async function aborted(signal: AbortSignal): Promise<string> {
  if (!signal.aborted) await once(signal, 'abort')
  return 'it did not answer in time'
}
