import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { PermanentError, TransientError } from '../../common/errors.ts'
import { behindTags, mediaFilter, signallingFilter, type TapFilterOptions } from './tap-filter.ts'

/**
 * The live tap: Debian's tcpdump, the one program that is granted capture rights. It gets a fixed list of arguments made of checked
 * values, and for media a snap length that ends after the RTP header.
 */

/** Ethernet with two VLAN tags, IPv6, UDP, RTP, and 14 octets for IPv4 options or the first CSRCs. */
const MEDIA_OCTETS = 96
/** The same behind what a mirror puts in front: Ethernet, IPv4, GRE with its options, and the header of ERSPAN III. */
const TUNNEL_OCTETS = 70
/** What libpcap calls the whole packet (MAXIMUM_SNAPLEN). */
const WHOLE_OCTETS = 262_144
/** Signalling is little; its packets are not cut off, so it does not get more of the kernel's memory than this either. */
const MAX_SIGNALLING_KIB = 8192
/** IFNAMSIZ of Linux is 16 with the zero at its end. The first character keeps it from being taken for an option. */
const INTERFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._@:-]{0,14}$/
/** ARPHRD_ETHER and ARPHRD_LOOPBACK: links whose frames may carry VLAN tags. */
const TYPE_ETHERNET = '1'
const TYPE_LOOPBACK = '772'
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
const VERSION = /tcpdump version (\d+)\.(\d+)(?:\.(\d+))?/
const VERSION_LIMIT_MS = 5000
/** From here on SIGUSR2 is known, and interrupts no write (tcpdump's CHANGES, 4.99.0 and 4.99.2). */
const CAN_FLUSH_SINCE = [4, 99, 2] as const

export interface TapOptions extends TapFilterOptions {
  readonly interface: string
  /** Kernel buffer for packets not read yet. */
  readonly bufferKib: number
  /** See what is meant for other machines: a mirror port. */
  readonly isPromiscuous?: boolean | undefined
  /** Another program in place of tcpdump. */
  readonly program?: string | undefined
}

/** Packets of media cut off behind their headers, or signalling whole. */
export type TapPart = 'media' | 'signalling'

/** What is not known before tcpdump is started. */
export interface TapFacts {
  readonly mayHaveVlans: boolean
  /** Whether tcpdump may gather packets, as it can be told to flush() them. */
  readonly canFlush: boolean
}

/** Counters since tcpdump was started. */
export interface TapStatistics {
  /** Packets handed to us, or about to be. */
  readonly captured: number
  /** Packets the kernel dropped because nobody read them in time. */
  readonly dropped: number
}

export function isInterfaceName(text: string): boolean {
  return INTERFACE_NAME.test(text)
}

export function tcpdumpArguments(
  options: TapOptions,
  part: TapPart,
  { mayHaveVlans, canFlush }: TapFacts,
): readonly string[] {
  if (!isInterfaceName(options.interface))
    throw new PermanentError('bad-interface', `"${options.interface}" is no interface name`)
  const isMedia = part === 'media'
  const mediaOctets = MEDIA_OCTETS + (options.hasTunnels === true ? TUNNEL_OCTETS : 0)
  const bufferKib = isMedia ? options.bufferKib : Math.min(options.bufferKib, MAX_SIGNALLING_KIB)
  const filter = isMedia ? mediaFilter(options) : signallingFilter(options)
  return [
    ...['-i', options.interface],
    // no names
    '-n',
    ...(options.isPromiscuous === true ? [] : ['-p']),
    ...['-s', String(isMedia ? mediaOctets : WHOLE_OCTETS)],
    ...['-B', String(bufferKib)],
    '--time-stamp-precision=micro',
    // Each packet when it comes: a write of its own, which from some 100,000 packets/s on costs more than all the rest.
    ...(isMedia && canFlush ? [] : ['-U']),
    ...['-w', '-'],
    mayHaveVlans ? behindTags(filter) : filter,
  ]
}

/** One run of tcpdump. */
export class Tcpdump {
  /** Whether packets are gathered, and wait for flush() when no more come. */
  readonly gathers: boolean
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #isLoopback: boolean
  readonly #ended: Promise<string>
  #partialLine = ''
  /** The newest lines on stderr that are no counters: among them why it ended. */
  #complaints: readonly string[] = []
  #statistics: TapStatistics = { captured: 0, dropped: 0 }
  #onStatistics: (() => void)[] = []
  #onListening: () => void = () => undefined
  #hasEnded = false

  private constructor(
    child: ChildProcessByStdio<null, Readable, Readable>,
    onData: (octets: Uint8Array) => void,
    isLoopback: boolean,
    gathers: boolean,
  ) {
    this.#child = child
    this.#isLoopback = isLoopback
    this.gathers = gathers
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
    part: TapPart,
    onData: (octets: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<Tcpdump> {
    const { program = 'tcpdump' } = options
    const [type, canFlush] = await Promise.all([linkType(options.interface), mayFlush(program)])
    const facts = { mayHaveVlans: type === TYPE_ETHERNET || type === TYPE_LOOPBACK, canFlush }
    const list = tcpdumpArguments(options, part, facts)
    const child = spawn(program, list, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
    const tcpdump = new Tcpdump(child, onData, type === TYPE_LOOPBACK, part === 'media' && canFlush)
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
      this.#onStatistics.push(resolve)
    })
    this.#child.kill('SIGUSR1')
    await Promise.race([printed, this.#ended, aborted(signal)])
    return this.#statistics
  }

  /**
   * Has the packets gathered so far written. Only while no packets come: tcpdump (4.99) writes in the middle of its signal handler, and
   * when that interrupts a write of its own, what comes is not a capture any more.
   */
  flush(): void {
    if (this.gathers && !this.#hasEnded) this.#child.kill('SIGUSR2')
  }

  /** Ends a tcpdump that does not answer. */
  kill(): void {
    this.#child.kill('SIGKILL')
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
    // Loopback shows each packet twice, going out and coming in, and tcpdump leaves the first out; dropped are usually both.
    const times = this.#isLoopback ? 2 : 1
    if (captured !== undefined)
      this.#statistics = { ...this.#statistics, captured: Number(captured) }
    if (dropped !== undefined)
      this.#statistics = { ...this.#statistics, dropped: Math.ceil(Number(dropped) / times) }
    if (dropped !== undefined) for (const tell of this.#onStatistics.splice(0)) tell()
    if (LISTENING.test(line)) this.#onListening()
    else if (!COUNTER.test(line) && line !== '')
      this.#complaints = [...this.#complaints, line.slice(0, MAX_LINE_LENGTH)].slice(
        -MAX_COMPLAINTS,
      )
  }
}

/** As the kernel numbers them; '' when it does not say. */
async function linkType(name: string): Promise<string> {
  if (!isInterfaceName(name)) return ''
  return (await readFile(`/sys/class/net/${name}/type`, 'utf8').catch(() => '')).trim()
}

/** False also when there is no such program: starting it will tell. */
async function mayFlush(program: string): Promise<boolean> {
  const asked = promisify(execFile)(program, ['--version'], {
    env: environment(),
    timeout: VERSION_LIMIT_MS,
  })
  const { stdout, stderr } = await asked.catch(() => ({ stdout: '', stderr: '' }))
  const version = VERSION.exec(stdout + stderr)?.slice(1)
  if (version === undefined) return false
  const differing = CAN_FLUSH_SINCE.findIndex((part, index) => Number(version[index] ?? 0) !== part)
  return differing < 0 || Number(version[differing] ?? 0) > (CAN_FLUSH_SINCE[differing] ?? 0)
}

function environment(): Record<string, string> {
  // Debian 11 keeps it where only root's PATH looks.
  return { LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
}

async function aborted(signal: AbortSignal): Promise<string> {
  if (!signal.aborted) await once(signal, 'abort')
  return 'it did not answer in time'
}
