import { spawnSync } from 'node:child_process'

/** What tshark says of one stream. */
export interface TsharkStream {
  readonly src: string
  readonly srcPort: number
  readonly dst: string
  readonly dstPort: number
  readonly ssrc: string
  readonly packets: number
  readonly lost: number
  readonly meanJitterMs: number
  readonly maxJitterMs: number
}

const ROW =
  /^\s*[\d.]+\s+[\d.]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(0x[0-9A-F]{8})\s+(.*?)\s+(\d+)\s+(-?\d+) \([^)]*\)\s+([\d.-]+)\s+([\d.-]+)\s+([\d.-]+)\s+([\d.-]+)\s+([\d.-]+)\s+([\d.-]+)/

export function hasTshark(): boolean {
  return spawnSync('tshark', ['--version']).status === 0
}

/** `tshark -z rtp,streams`. Where nothing announced the streams, `guess` lets it take for RTP what looks like it. */
export function tsharkStreams(file: string, guess = false): readonly TsharkStream[] {
  const preferences = guess ? ['-o', 'rtp.heuristic_rtp:TRUE'] : []
  return tshark(file, [...preferences, '-q', '-z', 'rtp,streams'])
    .split('\n')
    .flatMap((line) => {
      const match = ROW.exec(line)
      if (match === null) return []
      const [, src = '', srcPort, dst = '', dstPort, ssrc = '', , packets, lost] = match
      return [
        {
          src,
          srcPort: Number(srcPort),
          dst,
          dstPort: Number(dstPort),
          ssrc: ssrc.toLowerCase(),
          packets: Number(packets),
          lost: Number(lost),
          meanJitterMs: Number(match[13]),
          maxJitterMs: Number(match[14]),
        },
      ]
    })
}

/** The values of fields in all frames a display filter lets through, a frame with several values counting several times. */
export function tsharkValues(file: string, filter: string, field: string): readonly string[] {
  return tshark(file, ['-Y', filter, '-T', 'fields', '-E', 'occurrence=a', '-e', field])
    .split('\n')
    .flatMap((line) => line.split(','))
    .filter((value) => value !== '')
}

/** `tshark -z sip,stat`: messages, those sent again, requests by method and responses by status. */
export function tsharkSip(file: string): {
  readonly messages: number
  readonly resent: number
  readonly counts: ReadonlyMap<string, number>
} {
  const text = tshark(file, ['-q', '-z', 'sip,stat'])
  const numberIn = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? NaN)
  const counts = new Map<string, number>()
  for (const match of text.matchAll(/^\s*(?:SIP (\d{3}) .*?|([A-Z]+))\s*:\s*(\d+) Packets/gm))
    counts.set(match[1] ?? match[2] ?? '', Number(match[3]))
  return {
    messages: numberIn(/Number of SIP messages: (\d+)/),
    resent: numberIn(/Number of resent SIP messages: (\d+)/),
    counts,
  }
}

function tshark(file: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('tshark', ['-n', '-r', file, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(`tshark ${args.join(' ')}: ${stderr}`)
  return stdout
}
