import type { CallRow } from '../media/call-row.ts'
import { lossRatio, discardRatio } from '../media/stream-ratios.ts'
import type { CodecTable } from '../rtp/codec-impairments.ts'
import type { Analysis } from './analysis.ts'
import { coloured, tableText, type Cell, type Column, type Tone } from './columns.ts'
import type { StreamTotal } from './stream-total.ts'
import { qualityOf } from './total-quality.ts'

/** From the source document: more than 3 % is not acceptable. */
const LOSS_LIMIT = 0.03
const LOSS_WARNING = 0.01
/** G.109: below this some users are dissatisfied, and below that many. */
const MOS_WARNING = 4
const MOS_LIMIT = 3.6
const PERCENT = 100
const S_PER_MIN = 60
const MS_PER_S = 1000
/** Without being asked for all of them. */
const MAX_ROWS = 50
const ABSENT = '-'
const CLOCK = { timeZone: 'UTC', timeStyle: 'medium' } as const
const DATE_TIME = new Intl.DateTimeFormat('sv-SE', { ...CLOCK, dateStyle: 'short' })
const TIME = new Intl.DateTimeFormat('sv-SE', CLOCK)

export type Section = 'summary' | 'streams' | 'calls'

export interface TextOptions {
  readonly sections: ReadonlySet<Section>
  /** Every stream, not only the worst. */
  readonly all: boolean
  readonly hasColour: boolean
  readonly table: CodecTable
}

/** What `analyze` prints for one file. */
export function analysisText(analysis: Analysis, options: TextOptions): string {
  const { sections } = options
  const parts: string[] = []
  if (sections.has('summary')) parts.push(summary(analysis, options))
  if (sections.has('streams')) parts.push(streamsText(analysis.streams, options))
  if (sections.has('calls')) parts.push(callsText(analysis, options))
  return parts.filter((part) => part !== '').join('\n')
}

function summary(analysis: Analysis, { hasColour }: TextOptions): string {
  const { file, packets, bytes, firstMs, lastMs, streams, rtcp, sip, ignored } = analysis
  const expected = sum(streams.map((stream) => stream.expected))
  const lost = sum(streams.map((stream) => Math.max(0, stream.lostUnique)))
  const over = streams.filter((stream) => (lossRatio(stream) ?? 0) > LOSS_LIMIT).length
  const pooled = expected > 0 ? lost / expected : undefined
  const time =
    firstMs === undefined || lastMs === undefined
      ? 'no packets'
      : `${DATE_TIME.format(firstMs)} UTC, ${lengthText(lastMs - firstMs)}`
  const ignoredText = Object.entries(ignored)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ')
  const lines: readonly (readonly [string, string])[] = [
    ['file', file],
    ['time', time],
    ['packets', `${packets}, ${bytes} bytes`],
    ['streams', streams.length === 0 ? 'no RTP found' : `${streams.length} RTP`],
    [
      'loss',
      pooled === undefined
        ? ''
        : coloured(
            `${lost} of ${expected} packets, ${percent(pooled)}; ${over} of ${streams.length} streams over 3 %`,
            hasColour && over > 0 ? 'bad' : 'plain',
          ),
    ],
    [
      'rtcp',
      rtcp.compounds === 0
        ? ''
        : `${rtcp.compounds} packets: ${rtcp.senderReports} SR, ${rtcp.receiverReports} RR, ${rtcp.extendedReports} XR, ${rtcp.goodbyes} BYE${rtcp.encrypted > 0 ? `, ${rtcp.encrypted} encrypted` : ''}`,
    ],
    ['sip', sip.messages === 0 ? '' : `${sip.messages} messages, ${sip.calls} calls`],
    ['not rtp', ignoredText],
  ]
  return lines
    .filter(([, text]) => text !== '')
    .map(([title, text]) => `${title.padEnd('packets'.length)}  ${text}\n`)
    .join('')
}

function streamsText(streams: readonly StreamTotal[], options: TextOptions): string {
  if (streams.length === 0) return ''
  const { table, hasColour, all } = options
  const sorted = [...streams].sort((a, b) => (lossRatio(b) ?? -1) - (lossRatio(a) ?? -1))
  const shown = all ? sorted : sorted.slice(0, MAX_ROWS)
  const columns: readonly Column<StreamTotal>[] = [
    left('from', (stream) => ({ text: endpoint(stream.srcIp, stream.srcPort) })),
    left('to', (stream) => ({ text: endpoint(stream.dstIp, stream.dstPort) })),
    left('ssrc', (stream) => ({ text: stream.ssrc })),
    left('codec', (stream) => ({ text: stream.codec ?? `pt ${stream.payloadType}` })),
    right('packets', (stream) => ({ text: String(stream.received + stream.rejected) })),
    right('lost', (stream) => ({ text: String(stream.lostUnique) })),
    right('loss', (stream) => lossCell(lossRatio(stream))),
    right('worst 10 s', (stream) => lossCell(stream.worst?.lossRatio)),
    right('discard', (stream) => ({ text: percentOr(discardRatio(stream, 'adaptive')) })),
    right('jitter', (stream) => ({ text: ms(stream.jitterMeanMs) })),
    right('max', (stream) => ({ text: ms(stream.jitterMaxMs) })),
    right('max delta', (stream) => ({ text: ms(stream.deltaMaxMs) })),
    right('dup', (stream) => ({ text: countOr(stream.duplicates) })),
    right('reord', (stream) => ({ text: countOr(stream.reordered) })),
    right('dscp', (stream) => ({ text: String(stream.dscp) })),
    right('R', (stream) => ({ text: qualityOf(stream, table)?.rFactor.toFixed(0) ?? ABSENT })),
    right('MOS-LQ', (stream) => mosCell(stream, table)),
  ]
  const rest = streams.length - shown.length
  const more = rest > 0 ? `... and ${rest} more with less loss: --streams shows all\n` : ''
  return tableText(columns, shown, hasColour) + more
}

function callsText({ calls, streams }: Analysis, { hasColour, table }: TextOptions): string {
  if (calls.length === 0) return ''
  const byCall = new Map<string, StreamTotal[]>()
  for (const stream of streams)
    if (stream.callId !== undefined)
      byCall.set(stream.callId, [...(byCall.get(stream.callId) ?? []), stream])
  const streamsOf = (call: CallRow) => byCall.get(call.callId) ?? []
  const columns: readonly Column<CallRow>[] = [
    left('start', (call) => ({ text: TIME.format(call.startMs) })),
    left('caller', (call) => ({ text: call.caller })),
    left('callee', (call) => ({ text: call.callee })),
    left('state', (call) => ({
      text: stateText(call),
      tone: call.state === 'failed' ? 'warn' : 'plain',
    })),
    right('talked', (call) => ({ text: talked(call) })),
    right('streams', (call) => ({ text: String(streamsOf(call).length) })),
    right('loss', (call) => lossCell(worstLoss(streamsOf(call)))),
    right('MOS-LQ', (call) => worstMos(streamsOf(call), table)),
    left('media', (call) => mediaCell(call)),
    left('call-id', (call) => ({ text: call.callId })),
  ]
  return tableText(columns, calls, hasColour)
}

function stateText({ state, statusCode }: CallRow): string {
  return statusCode === undefined ? state : `${state} ${statusCode}`
}

function talked({ answerMs, endMs }: CallRow): string {
  return answerMs === undefined || endMs === undefined ? '' : lengthText(endMs - answerMs)
}

function mediaCell({ isOneWay, isSilent }: CallRow): Cell {
  if (isSilent) return { text: 'no RTP', tone: 'bad' }
  return isOneWay ? { text: 'one-way', tone: 'bad' } : { text: '' }
}

function worstLoss(streams: readonly StreamTotal[]): number | undefined {
  const ratios = streams.map(lossRatio).filter((ratio) => ratio !== undefined)
  return ratios.length === 0 ? undefined : Math.max(...ratios)
}

function worstMos(streams: readonly StreamTotal[], table: CodecTable): Cell {
  const [worst] = [...streams].sort(
    (a, b) => (qualityOf(a, table)?.mosLq ?? Infinity) - (qualityOf(b, table)?.mosLq ?? Infinity),
  )
  return worst === undefined ? { text: ABSENT } : mosCell(worst, table)
}

function mosCell(stream: StreamTotal, table: CodecTable): Cell {
  const quality = qualityOf(stream, table)
  if (quality === undefined) return { text: ABSENT }
  const { mosLq, isAssumed, scale } = quality
  const mark =
    (isAssumed ? '~' : '') + (scale === 'narrowband' ? '' : scale === 'wideband' ? 'W' : 'F')
  return { text: `${mosLq.toFixed(2)}${mark}`, tone: toneOf(-mosLq, -MOS_WARNING, -MOS_LIMIT) }
}

function lossCell(ratio: number | undefined): Cell {
  return { text: percentOr(ratio), tone: toneOf(ratio ?? 0, LOSS_WARNING, LOSS_LIMIT) }
}

function toneOf(value: number, warning: number, limit: number): Tone {
  if (value > limit) return 'bad'
  return value > warning ? 'warn' : 'plain'
}

function left<Row>(title: string, cell: (row: Row) => Cell): Column<Row> {
  return { title, align: 'left', cell }
}

function right<Row>(title: string, cell: (row: Row) => Cell): Column<Row> {
  return { title, align: 'right', cell }
}

function endpoint(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

function percentOr(ratio: number | undefined): string {
  return ratio === undefined ? ABSENT : percent(ratio)
}

function percent(ratio: number): string {
  return `${(ratio * PERCENT).toFixed(2)} %`
}

function countOr(count: number): string {
  return count === 0 ? '' : String(count)
}

function ms(value: number | undefined): string {
  return value === undefined ? ABSENT : `${value.toFixed(1)} ms`
}

function lengthText(lengthMs: number): string {
  const seconds = lengthMs / MS_PER_S
  if (seconds < S_PER_MIN) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / S_PER_MIN)
  return `${minutes} min ${Math.floor(seconds - minutes * S_PER_MIN)} s`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
