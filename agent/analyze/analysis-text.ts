import type { CallRow } from '../media/call-row.ts'
import { lossRatio, discardRatio } from '../media/stream-ratios.ts'
import type { CodecTable } from '../rtp/codec-impairments.ts'
import type { Analysis } from './analysis.ts'
import { most } from './combine.ts'
import {
  ABSENT,
  coloured,
  printable,
  tableText,
  type Cell,
  type Column,
  type Tone,
} from './columns.ts'
import {
  countText,
  dateText,
  lengthText,
  msText,
  numberText,
  octetsText,
  percentText,
  timeText,
} from './figures.ts'
import type { StreamTotal } from './stream-total.ts'
import { qualityOf } from './total-quality.ts'

/** From the source document: more than 3 % is not acceptable. */
const LOSS_LIMIT = 0.03
const LOSS_WARNING = 0.01
/** G.109: below this some users are dissatisfied, and below that many. */
const MOS_WARNING = 4
const MOS_LIMIT = 3.6
/** Without being asked for all of them. */
const MAX_ROWS = 50
const TITLE_WIDTH = 'packets'.length

export type Section = 'summary' | 'streams' | 'calls'

export interface TextOptions {
  readonly sections: ReadonlySet<Section>
  /** Every stream and call, not only the worst. */
  readonly isAll: boolean
  readonly hasColour: boolean
  /** Of the screen; undefined where lines may be of any length. */
  readonly width: number | undefined
  readonly table: CodecTable
}

/** What `analyze` prints for one file. */
export function analysisText(analysis: Analysis, options: TextOptions): string {
  const { sections } = options
  const parts: string[] = []
  if (sections.has('summary')) parts.push(summary(analysis, options))
  const { streams } = analysis
  if (sections.has('streams') && streams.length > 0) parts.push(streamsText(streams, options))
  if (sections.has('calls') && analysis.calls.length > 0) parts.push(callsText(analysis, options))
  return parts.join('\n')
}

function summary(analysis: Analysis, { hasColour }: TextOptions): string {
  const { file, packets, bytes, firstMs, lastMs, rtcp, sip, evicted } = analysis
  const time =
    firstMs === undefined || lastMs === undefined
      ? 'no packets'
      : `${dateText(firstMs)} UTC, ${lengthText(lastMs - firstMs)}`
  const { text: loss, tone } = lossSummary(analysis)
  const lines: readonly (readonly [string, string])[] = [
    ['file', printable(file)],
    ['time', time],
    ['packets', `${numberText(packets)}, ${octetsText(bytes)}`],
    ['streams', streamsSummary(analysis)],
    ['dropped', evicted === 0 ? '' : `${countText(evicted, 'stream')}: too many at once`],
    ['loss', coloured(loss, hasColour ? (tone ?? 'plain') : 'plain')],
    ['rtcp', rtcp.compounds === 0 ? '' : rtcpSummary(analysis)],
    ['sip', sip.messages === 0 ? '' : sipSummary(analysis)],
    ['not rtp', ignoredSummary(analysis)],
  ]
  return lines
    .filter(([, text]) => text !== '')
    .map(([title, text]) => `${title.padEnd(TITLE_WIDTH)}  ${text}\n`)
    .join('')
}

function streamsSummary({ streams, unlisted }: Analysis): string {
  if (streams.length === 0) return 'no RTP found'
  const others = unlisted.streams.streams
  return numberText(streams.length) + (others > 0 ? ` listed, ${numberText(others)} more` : '')
}

function lossSummary({ streams, unlisted }: Analysis): Cell {
  const expected = sum(streams.map((stream) => stream.expected)) + unlisted.streams.expected
  if (expected === 0) return { text: '' }
  const lost = sum(streams.map(({ lostUnique }) => Math.max(0, lostUnique)))
  const all = lost + Math.max(0, unlisted.streams.lostUnique)
  const gone = sum(streams.map(({ gapLost }) => gapLost))
  const over = streams.filter((stream) => (lossRatio(stream) ?? 0) > LOSS_LIMIT).length
  const cut = gone > 0 ? `; ${countText(gone, 'packet')} more while lines were cut` : ''
  return {
    text: `${numberText(all)} of ${countText(expected, 'packet')}, ${percentText(all / expected)}; ${numberText(over)} of ${countText(streams.length, 'stream')} over 3 %${cut}`,
    tone: over > 0 ? 'bad' : 'plain',
  }
}

function rtcpSummary({ rtcp }: Analysis): string {
  const { senderReports, receiverReports, extendedReports, goodbyes, encrypted } = rtcp
  const kinds = `${senderReports} SR, ${receiverReports} RR, ${extendedReports} XR, ${goodbyes} BYE`
  const hidden = encrypted > 0 ? `, ${encrypted} encrypted` : ''
  return `${countText(rtcp.compounds, 'packet')}: ${kinds}${hidden}`
}

function sipSummary({ sip, calls, unlisted }: Analysis): string {
  return `${countText(sip.messages, 'message')}, ${countText(calls.length + unlisted.calls, 'call')}`
}

function ignoredSummary({ ignored }: Analysis): string {
  return Object.entries(ignored)
    .map(([reason, count]) => `${numberText(count)} ${reason}`)
    .join(', ')
}

function streamsText(streams: readonly StreamTotal[], options: TextOptions): string {
  const { table, isAll } = options
  const sorted = [...streams].sort(byLoss)
  const shown = isAll ? sorted : sorted.slice(0, MAX_ROWS)
  const columns: readonly Column<StreamTotal>[] = [
    left('from', 0, (stream) => ({ text: endpoint(stream.srcIp, stream.srcPort) })),
    left('to', 0, (stream) => ({ text: endpoint(stream.dstIp, stream.dstPort) })),
    left('ssrc', 7, (stream) => ({ text: stream.ssrc })),
    left('codec', 2, (stream) => ({ text: stream.codec ?? `pt ${stream.payloadType}` })),
    right('packets', 1, (stream) => ({ text: String(stream.received + stream.rejected) })),
    right('lost', 1, (stream) => ({ text: String(stream.lostUnique) })),
    right('loss', 0, (stream) => lossCell(lossRatio(stream))),
    right('worst 10 s', 6, (stream) => lossCell(stream.worst?.lossRatio)),
    right('discard', 5, (stream) => ({ text: percentOr(discardRatio(stream, 'adaptive')) })),
    right('jitter', 3, (stream) => ({ text: msText(stream.jitterMeanMs) })),
    right('max', 4, (stream) => ({ text: msText(stream.jitterMaxMs) })),
    right('max delta', 8, (stream) => ({ text: msText(stream.deltaMaxMs) })),
    right('dup', 9, (stream) => ({ text: countOr(stream.duplicates) })),
    right('reord', 9, (stream) => ({ text: countOr(stream.reordered) })),
    right('restarts', 9, (stream) => ({ text: countOr(stream.restarts) })),
    right('silent', 3, (stream) => ({ text: silence(stream), tone: 'warn' })),
    right('cut', 2, (stream) => ({ text: countOr(stream.gapLost), tone: 'bad' })),
    right('dscp', 10, (stream) => ({ text: String(stream.dscp) })),
    right('R', 11, (stream) => ({ text: qualityOf(stream, table)?.rFactor.toFixed(0) ?? ABSENT })),
    right('MOS-LQ', 1, (stream) => mosCell(stream, table)),
  ]
  const rest = streams.length - shown.length
  const more =
    rest > 0 ? `... and ${countText(rest, 'stream')} with less loss: --streams shows all\n` : ''
  return tableText(columns, shown, options) + more
}

/** The worst first. */
function byLoss(a: StreamTotal, b: StreamTotal): number {
  return (
    (lossRatio(b) ?? -1) - (lossRatio(a) ?? -1) ||
    b.gapLost - a.gapLost ||
    (discardRatio(b, 'adaptive') ?? 0) - (discardRatio(a, 'adaptive') ?? 0) ||
    (b.jitterMaxMs ?? 0) - (a.jitterMaxMs ?? 0)
  )
}

/** How long a stream of a constant rate was silent without a reason before it went on. */
function silence({ gapMs = 0 }: StreamTotal): string {
  return gapMs > 0 ? lengthText(gapMs) : ''
}

function callsText({ calls, streams }: Analysis, options: TextOptions): string {
  const { table, isAll } = options
  const byCall = new Map<string, StreamTotal[]>()
  for (const stream of streams) {
    if (stream.callId === undefined) continue
    const known = byCall.get(stream.callId)
    if (known === undefined) byCall.set(stream.callId, [stream])
    else known.push(stream)
  }
  const streamsOf = (call: CallRow) => byCall.get(call.callId) ?? []
  const shown = isAll ? calls : worstCalls(calls, (call) => worstLoss(streamsOf(call)) ?? 0)
  const columns: readonly Column<CallRow>[] = [
    left('start', 1, (call) => ({ text: timeText(call.startMs) })),
    left('caller', 0, (call) => ({ text: call.caller })),
    left('callee', 0, (call) => ({ text: call.callee })),
    left('state', 0, (call) => ({
      text: stateText(call),
      tone: call.state === 'failed' ? 'warn' : 'plain',
    })),
    right('talked', 2, (call) => ({ text: talked(call) })),
    right('streams', 4, (call) => ({ text: String(streamsOf(call).length) })),
    right('worst loss', 1, (call) => lossCell(worstLoss(streamsOf(call)))),
    right('MOS-LQ', 3, (call) => worstMos(streamsOf(call), table)),
    left('media', 0, (call) => mediaCell(call)),
    left('call-id', 5, (call) => ({ text: call.callId })),
  ]
  const rest = calls.length - shown.length
  const more = rest > 0 ? `... and ${countText(rest, 'call')}: --calls shows all\n` : ''
  return tableText(columns, shown, options) + more
}

/** Of many calls those without media, those that failed and those that lost most; in order of time. */
function worstCalls(calls: readonly CallRow[], lossOf: (call: CallRow) => number): CallRow[] {
  const faultOf = ({ isSilent, isOneWay, state }: CallRow) =>
    isSilent || isOneWay ? 2 : Number(state === 'failed')
  const worst = calls
    .map((call, index) => ({ call, index, fault: faultOf(call), loss: lossOf(call) }))
    .sort((a, b) => b.fault - a.fault || b.loss - a.loss || a.index - b.index)
    .slice(0, MAX_ROWS)
  return worst.sort((a, b) => a.index - b.index).map(({ call }) => call)
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
  return streams.reduce<number | undefined>(
    (worst, stream) => most(worst, lossRatio(stream)),
    undefined,
  )
}

function worstMos(streams: readonly StreamTotal[], table: CodecTable): Cell {
  const rated = streams.map((stream) => ({
    stream,
    mosLq: qualityOf(stream, table)?.mosLq ?? Infinity,
  }))
  const [worst] = rated.sort((a, b) => a.mosLq - b.mosLq)
  return worst === undefined ? { text: ABSENT } : mosCell(worst.stream, table)
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

function left<Row>(title: string, leaves: number, cell: (row: Row) => Cell): Column<Row> {
  return { title, align: 'left', leaves, cell }
}

function right<Row>(title: string, leaves: number, cell: (row: Row) => Cell): Column<Row> {
  return { title, align: 'right', leaves, cell }
}

function endpoint(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

function percentOr(ratio: number | undefined): string {
  return ratio === undefined ? ABSENT : percentText(ratio)
}

function countOr(count: number): string {
  return count === 0 ? '' : String(count)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
