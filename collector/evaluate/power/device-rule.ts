import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { fingerprintOf, SEVERITIES, type Severity } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import type { Rule, RuleContext } from '../rule.ts'
import { Findings, type Finding } from '../findings.ts'
import { isCurrent } from '../points.ts'
import { items, parts } from '../snapshot.ts'
import { lasting, utcMinute } from '../words.ts'
import {
  conditionSchema,
  NO_READING,
  step,
  type ConditionMemory,
  type ConditionStep,
  type Holds,
  type Judgement,
} from './condition.ts'
import { deviceOf } from './device.ts'

const MAX_DEVICES = 20_000
/** So many names make an alert that can be read; the rest is counted. */
const NAMED = 5
/** Without a reading for so many polls, and this long, nothing is known of a device. */
const SILENT_POLLS = 3
const SILENT_US = 30_000_000
/** Of what nothing was known for so long, an alert says nothing any more. */
const FORGOTTEN_US = 30 * 60_000_000
const SINGLE = ''

/** One kind of trouble a device can be in. */
export interface DeviceWatch {
  readonly rule: string
  readonly severity: Severity
  readonly measurements: ReadonlySet<MeasurementName>
  /** @param marks what the rule remembers of the device; kept through a restart @returns undefined for what says nothing of it */
  readonly judge: (
    point: Measurement,
    marks: Record<string, number | string>,
    atUs: number,
  ) => Judgement | undefined
  readonly holds: (memory: Readonly<ConditionMemory>) => Holds
  /** Devices that are in trouble together are one alert; each for itself where left out. */
  readonly groupOf?: (labels: Readonly<Record<string, string>>) => {
    readonly key: string
    /** "UPSes of hq": what several of them are called. */
    readonly object: string
  }
  /** Of several, by when each came into trouble, the first before the others. */
  readonly severityOf?: (sinceUs: readonly number[]) => Severity
  /** A device that lasts in trouble for so long is taken to be meant so. */
  readonly giveUpUs?: number
  /** What is read by several is in trouble only if all say so; else if one does. */
  readonly needsAll?: boolean
  /** What no reading says: a device that is not reported any more, though its agent is heard. */
  readonly absence?: (sinceUs: number, marks: Record<string, number | string>) => Judgement
  /** Whether trouble may be the agent's own: it is not believed while that is cut off. */
  readonly isOverNetwork?: boolean
  readonly onStep?: (
    what: ConditionStep,
    device: Readonly<WatchedDevice>,
    point: Measurement,
    context: RuleContext,
  ) => void
}

const deviceSchema = z.object({
  ...{ source: z.string(), key: z.string(), agent: z.string(), site: z.string() },
  ...{ name: z.string(), labels: z.record(z.string(), z.string()) },
  ...{ group: z.string(), groupObject: z.string() },
  memory: conditionSchema,
})

export interface WatchedDevice {
  /** Who reads what. */
  readonly source: string
  readonly key: string
  readonly agent: string
  readonly site: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly group: string
  readonly groupObject: string
  readonly memory: ConditionMemory
}

/** Judges every reading of a device by itself and tells once of what lasts, of several together where they are a group. */
export class DeviceRule implements Rule {
  readonly measurements: DeviceWatch['measurements']
  readonly #watch: DeviceWatch
  readonly #context: RuleContext
  readonly #devices = new Map<string, WatchedDevice>()
  /** Sources by the fingerprint they are told under. */
  readonly #groups = new Map<string, Set<string>>()
  readonly #findings: Findings
  #startedUs: number | undefined
  #counters = { too_many: 0, short: 0 }

  constructor(watch: DeviceWatch, context: RuleContext) {
    this.#watch = watch
    this.measurements = watch.measurements
    this.#context = context
    const memory = parts(context.restored)
    for (const device of items(deviceSchema, memory['devices'])) this.#keep(device)
    this.#findings = new Findings(watch.rule, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    const touched = new Set<string>()
    for (const point of points) {
      if (!this.measurements.has(point.name) || !isCurrent(point, arrivalUs)) continue
      const group = this.#learn(point)
      if (group !== undefined) touched.add(group)
    }
    for (const group of touched) this.#judge(group, arrivalUs)
  }

  tick(nowUs: number): void {
    this.#startedUs ??= nowUs
    const touched = new Set(this.#findings.memory.map(({ breach }) => breach.fingerprint))
    for (const device of this.#devices.values()) {
      this.#sweep(device, nowUs)
      if (device.memory.isBad) touched.add(device.group)
    }
    for (const group of touched) this.#judge(group, nowUs)
  }

  forgetAgent(agent: string): void {
    this.#forget((device) => device.agent === agent, 'its token was revoked')
  }

  siteLost(site: string, atUs: number): void {
    this.#forget((device) => device.site === site, 'its site was cut off: unknown', atUs)
  }

  snapshot(): unknown {
    return { devices: [...this.#devices.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    const { too_many: tooMany, short } = this.#counters
    return { too_many: tooMany + this.#findings.tooMany, short }
  }

  /** @returns the group to be judged anew */
  #learn(point: Measurement): string | undefined {
    const device = this.#deviceOf(point)
    if (device === undefined) return undefined
    const { memory, agent } = device
    if (point.timeUs <= memory.lastUs) return undefined
    const judged = this.#watch.judge(point, memory.marks, point.timeUs)
    if (judged === undefined) return undefined
    const isOwnFault =
      judged.word === 'bad' &&
      this.#watch.isOverNetwork === true &&
      this.#context.isolation.isIsolated(agent, point.timeUs)
    this.#step(device, isOwnFault ? { word: 'unknown' } : judged, point)
    return device.group
  }

  #step(device: WatchedDevice, judged: Judgement, point: Measurement): void {
    const did = step(device.memory, judged, point.timeUs, this.#watch.holds(device.memory))
    if (did === 'short') this.#counters.short++
    this.#watch.onStep?.(did, device, point, this.#context)
  }

  #deviceOf(point: Measurement): WatchedDevice | undefined {
    const { agent = '', site = '', target = agent, source: reader = '' } = point.tags
    const source = [agent, point.name, target, reader].join('\n')
    const known = this.#devices.get(source)
    if (known === undefined && this.#devices.size >= MAX_DEVICES) {
      this.#counters.too_many++
      return undefined
    }
    const { key, name, labels } = deviceOf(this.#context, point)
    const of = this.#watch.groupOf?.(labels) ?? { key, object: SINGLE }
    const device: WatchedDevice = {
      ...(known ?? { source: copyOf(source), agent: copyOf(agent), site: copyOf(site) }),
      ...{ key: copyOf(key), name: copyOf(name), labels: copiesOf(labels) },
      ...{ group: fingerprintOf(this.#watch.rule, copyOf(of.key)), groupObject: of.object },
      memory: known?.memory ?? { ...NO_READING, marks: {} },
    }
    this.#keep(device)
    return device
  }

  #keep(device: WatchedDevice): void {
    const known = this.#devices.get(device.source)
    if (known !== undefined && known.group !== device.group) this.#leave(known)
    this.#devices.set(device.source, device)
    const members = this.#groups.get(device.group)
    if (members === undefined) this.#groups.set(device.group, new Set([device.source]))
    else members.add(device.source)
  }

  #leave({ group, source }: WatchedDevice): void {
    const members = this.#groups.get(group)
    members?.delete(source)
    if (members?.size === 0) this.#groups.delete(group)
  }

  /** What is due because no reading came. */
  #sweep(device: WatchedDevice, nowUs: number): void {
    const { memory, agent } = device
    // What is ahead of now was read before our clock was set back.
    if (memory.lastUs > nowUs + SILENT_US) memory.lastUs = nowUs
    const heardUs = Math.max(memory.lastUs, this.#startedUs ?? nowUs)
    const isSilent = nowUs - heardUs > Math.max(SILENT_POLLS * memory.gapUs, SILENT_US)
    if (isSilent) {
      const { absence } = this.#watch
      const isHeard = !this.#context.presence.isOverdue(agent, nowUs)
      if (absence !== undefined && isHeard && nowUs - heardUs < FORGOTTEN_US) {
        const { lastUs, gapUs } = memory
        const judged = absence(lastUs, memory.marks)
        const at = { ...NO_POINT, timeUs: nowUs }
        this.#step(device, judged, at)
        Object.assign(memory, { lastUs, gapUs })
      } else memory.word = 'unknown'
    }
    if (!memory.isBad) {
      if (isSilent && nowUs - heardUs > FORGOTTEN_US) this.#drop(device)
      return
    }
    const isForgotten = nowUs - Math.max(memory.knownUs, this.#startedUs ?? nowUs) > FORGOTTEN_US
    const { giveUpUs = Infinity } = this.#watch
    if (!isForgotten && nowUs - memory.sinceUs < giveUpUs) return
    memory.isBad = false
    memory.isHeld = false
    memory.marks = {}
    const why = isForgotten ? 'nothing known of it any more' : 'taken to be meant so'
    this.#judge(device.group, nowUs, `${why}: not proven well`)
  }

  #drop(device: WatchedDevice): void {
    this.#devices.delete(device.source)
    this.#leave(device)
  }

  #forget(isGone: (device: WatchedDevice) => boolean, why: string, atUs?: number): void {
    const groups = new Set<string>()
    for (const device of this.#devices.values()) {
      if (!isGone(device)) continue
      this.#drop(device)
      groups.add(device.group)
    }
    for (const group of groups) {
      const updatedUs = this.#findings.find(group)?.updatedUs
      if (updatedUs !== undefined) this.#judge(group, atUs ?? updatedUs, why)
    }
  }

  /** @param why it is over without being proven well; left out where it is well */
  #judge(group: string, nowUs: number, why?: string): void {
    const devices = [...(this.#groups.get(group) ?? [])].flatMap(
      (source) => this.#devices.get(source) ?? [],
    )
    const keys = [...new Set(devices.map(({ key }) => key))]
    const inTrouble = (isSo: (device: WatchedDevice) => boolean): readonly WatchedDevice[] =>
      keys.flatMap((key) => {
        const sources = devices.filter((device) => device.key === key)
        const those = sources.filter(isSo)
        const isAgreed = this.#watch.needsAll !== true || those.length === sources.length
        const newest = those.sort((a, b) => b.memory.knownUs - a.memory.knownUs)[0]
        return isAgreed ? (newest ?? []) : []
      })
    if (inTrouble(({ memory }) => memory.isHeld).length > 0) {
      // Those that are not held yet are named with the first: one event, one alert.
      const bad = inTrouble(({ memory }) => memory.isBad)
      const timeUs = Math.max(...bad.map(({ memory }) => memory.badUs))
      this.#findings.raise(this.#findingOf(group, bad, keys.length), timeUs, nowUs)
      return
    }
    const breach = this.#findings.find(group)
    if (breach === undefined) return
    if (why !== undefined) this.#findings.close(group, 'ended', why, nowUs)
    else if (devices.length === 0)
      this.#findings.close(group, 'ended', 'not reported any more: unknown', nowUs)
    else {
      const untilUs = Math.max(...devices.map(({ memory }) => memory.wellUs))
      const summary = `well again after ${lasting(Math.max(untilUs, breach.sinceUs) - breach.sinceUs)}`
      this.#findings.close(group, 'resolved', summary, nowUs)
    }
  }

  #findingOf(fingerprint: string, bad: readonly WatchedDevice[], known: number): Finding {
    const sorted = bad.toSorted((a, b) => a.memory.sinceUs - b.memory.sinceUs)
    const [first = bad[0]] = sorted
    const sinceUs = first?.memory.sinceUs ?? 0
    const severity = sorted
      .map(({ memory }) => memory.severity ?? this.#watch.severity)
      .concat(this.#watch.severityOf?.(sorted.map(({ memory }) => memory.sinceUs)) ?? [])
      .reduce((worst, one) => (rank(one) > rank(worst) ? one : worst), 'notice')
    const what = (device: WatchedDevice | undefined): string => device?.memory.what ?? ''
    const isOne = bad.length === 1
    const each = sorted.slice(0, NAMED).map((device) => `${device.name} (${what(device)})`)
    const more = bad.length > NAMED ? ` and ${bad.length - NAMED} more` : ''
    return {
      fingerprint,
      object: isOne ? (first?.name ?? '') : (first?.groupObject ?? ''),
      severity,
      summary: isOne
        ? `${what(first)} since ${utcMinute(sinceUs)}`
        : `${bad.length} of ${known} since ${utcMinute(sinceUs)}: ${each.join(', ')}${more}`,
      labels: isOne ? (first?.labels ?? {}) : sharedBy(sorted.map(({ labels }) => labels)),
      evidence: {
        ...first?.memory.evidence,
        ...(isOne ? {} : { devices: bad.length, devices_known: known }),
        ...componentsOf(sorted),
      },
      sinceUs,
    }
  }
}

const NO_POINT: Measurement = { name: 'agent', tags: {}, fields: {}, timeUs: 0 }

/** Ids of those that are drawn, for what asks which alert is about what. */
function componentsOf(devices: readonly WatchedDevice[]): Readonly<Record<string, string>> {
  const ids = devices.flatMap(({ labels }) => labels['component'] ?? [])
  return ids.length < 2 ? {} : { components: ids.join(' ') }
}

/** What is the same for all; of the rest nothing. */
function sharedBy(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}] = all
  const shared = Object.entries(first).filter(([name, value]) =>
    all.every((labels) => labels[name] === value),
  )
  return { site: 'unknown', owner: 'unknown', ...Object.fromEntries(shared) }
}

function copiesOf(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, copyOf(value)]))
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity)
}
