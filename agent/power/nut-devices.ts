import { measurement, type Measurement } from '../../common/measurement.ts'
import { nutNumber, type NutVariables } from './nut-numbers.ts'

/** What NUT serves besides UPSes: transfer switches and power strips. */

const MAX_OUTLETS = 96
/** A source with less than this share of its voltage gives no power. */
const DEAD_SHARE = 0.5
const GOOD_SHARE = 0.85
const USUAL_V = 230
/** Threshold words of NUT (`…current.status`). */
const OVERLOAD = 'critical-high'
const NEAR_OVERLOAD = 'warning-high'

const SIDES: Readonly<Record<string, string>> = { '1': 'a', '2': 'b', A: 'a', B: 'b' }

type Place = Readonly<{ target: string; timeUs: number }>

export type NutKind = 'ups' | 'ats' | 'pdu' | 'other'

/** What a unit is, by its own word; without one it is a UPS, as NUT takes it. */
export function kindOf(variables: NutVariables): NutKind {
  const type = variables.get('device.type') ?? 'ups'
  return type === 'ups' || type === 'ats' || type === 'pdu' ? type : 'other'
}

/** A unit of which nothing fresh is heard. */
export function silentDevice(kind: 'ats' | 'pdu', reason: string, place: Place): Measurement {
  const lost = { comms_lost: true, reason }
  return kind === 'ats'
    ? measurement('transfer_switch', place.timeUs, { target: place.target, source: 'nut' }, lost)
    : measurement('pdu', place.timeUs, { target: place.target }, lost)
}

/** A transfer switch: inputs 1 and 2 are sources A and B. */
export function transferSwitchPoint(variables: NutVariables, place: Place): Measurement {
  const words = (variables.get('ups.status') ?? '').split(/\s+/)
  const source = variables.get('input.source') ?? ''
  const selected = SIDES[source]
  const good = { a: sourceState(variables, 1), b: sourceState(variables, 2) }
  const other = selected === 'a' ? good.b : selected === 'b' ? good.a : undefined
  const preferred = variables.get('input.source.preferred')
  return measurement(
    'transfer_switch',
    place.timeUs,
    { target: place.target, source: 'nut' },
    {
      selected,
      preferred: preferred === '0' ? 'none' : (SIDES[preferred ?? ''] ?? undefined),
      source_a_ok: good.a,
      source_b_ok: good.b,
      redundancy_lost: other === undefined ? undefined : !other,
      output_ok: outputState(variables, words),
      overload: words.includes('OVER') || variables.get('output.current.status') === OVERLOAD,
      alarm: words.includes('ALARM') || source === 'fault',
      comms_lost: false,
      input_a_v: nutNumber(variables, 'input.1.voltage'),
      input_b_v: nutNumber(variables, 'input.2.voltage'),
      ...identityOf(variables),
    },
  )
}

/** A power strip, and a point for each outlet that says something of itself. */
export function pduPoints(variables: NutVariables, place: Place): readonly Measurement[] {
  const count = nutNumber(variables, 'outlet.count', 0, MAX_OUTLETS)
  const outlets = Array.from({ length: count ?? 0 }, (_, index) =>
    outletPoint(variables, index + 1, place),
  ).filter((point) => point !== undefined)
  const load = [variables.get('outlet.current.status'), variables.get('input.current.status')]
  const switched = outlets.filter(({ fields }) => typeof fields['on'] === 'boolean')
  const strip = measurement(
    'pdu',
    place.timeUs,
    { target: place.target },
    {
      load_a: nutNumber(variables, 'outlet.current') ?? nutNumber(variables, 'input.current'),
      load_w: nutNumber(variables, 'outlet.realpower') ?? nutNumber(variables, 'input.realpower'),
      near_overload: load.some((word) => word !== undefined)
        ? load.includes(NEAR_OVERLOAD) || load.includes(OVERLOAD)
        : undefined,
      overload: load.some((word) => word !== undefined) ? load.includes(OVERLOAD) : undefined,
      outlets: count,
      outlets_on:
        switched.length > 0
          ? switched.filter(({ fields }) => fields['on'] === true).length
          : undefined,
      comms_lost: false,
      ...identityOf(variables),
    },
  )
  return [strip, ...outlets]
}

function outletPoint(
  variables: NutVariables,
  number: number,
  { target, timeUs }: Place,
): Measurement | undefined {
  const name = `outlet.${number}`
  const status = variables.get(`${name}.status`)?.toLowerCase()
  const point = measurement(
    'pdu_outlet',
    timeUs,
    { target: `${target}/${number}` },
    {
      on: status === 'on' ? true : status === 'off' ? false : undefined,
      label: variables.get(`${name}.desc`) ?? variables.get(`${name}.name`),
      load_a: nutNumber(variables, `${name}.current`),
      load_w: nutNumber(variables, `${name}.realpower`),
    },
  )
  return Object.keys(point.fields).length > 0 ? point : undefined
}

/** By the word of the device, else by its voltage; between dead and good nobody knows. */
function sourceState(variables: NutVariables, input: 1 | 2): boolean | undefined {
  const status = variables.get(`input.${input}.voltage.status`)
  if (status === 'good' || status === 'derated-range') return true
  if (status === 'out-of-range') return false
  const volts = nutNumber(variables, `input.${input}.voltage`)
  return volts === undefined ? undefined : isLive(volts, variables, 'input.voltage.nominal')
}

function outputState(variables: NutVariables, words: readonly string[]): boolean | undefined {
  if (words.includes('OFF')) return false
  const volts = nutNumber(variables, 'output.voltage')
  if (volts !== undefined) return isLive(volts, variables, 'output.voltage.nominal')
  return words.includes('OL') ? true : undefined
}

function isLive(volts: number, variables: NutVariables, nominal: string): boolean | undefined {
  const nominalV = nutNumber(variables, nominal, 1) ?? USUAL_V
  // Half the world has half the voltage: without a nominal one, only next to nothing is dead.
  const goodV = GOOD_SHARE * (variables.has(nominal) ? nominalV : nominalV * DEAD_SHARE)
  if (volts >= goodV) return true
  return volts < DEAD_SHARE * goodV ? false : undefined
}

function identityOf(variables: NutVariables) {
  const maker = variables.get('device.mfr') ?? variables.get('ups.mfr') ?? ''
  const model = variables.get('device.model') ?? variables.get('ups.model') ?? ''
  const name = model.startsWith(maker) ? model : `${maker} ${model}`.trim()
  return {
    model: name === '' ? undefined : name,
    serial: variables.get('device.serial') ?? variables.get('ups.serial'),
    firmware: variables.get('ups.firmware'),
  }
}
