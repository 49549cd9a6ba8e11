import { measurement } from '../../common/measurement.ts'
import { apcAts, eatonAts, type AtsMib, type AtsReading } from './ats-mib.ts'
import { MibReader } from './mib-reader.ts'
import type { SnmpOptions } from './snmp-access.ts'
import type { Polled, PolledDevice, PollTime } from './snmp-fleet.ts'

const MIBS: readonly AtsMib[] = [apcAts, eatonAts]
export const ATS_MIB_NAMES = ['apc', 'eaton'] as const
/** What must not wait for the end of the run. */
const URGENT = [
  'commsLost',
  'selected',
  'sourceAOk',
  'sourceBOk',
  'redundancyLost',
  'outputOk',
  'overload',
] as const

/** One automatic transfer switch read by SNMP. */
export class AtsSnmpDevice implements PolledDevice {
  readonly host: string
  readonly #target: string
  readonly #reader: MibReader<AtsMib>
  #before: AtsReading | undefined

  constructor(target: string, options: SnmpOptions, mib?: (typeof ATS_MIB_NAMES)[number]) {
    this.host = options.host
    this.#target = target
    this.#reader = new MibReader(options, MIBS, mib)
  }

  async poll({ nowUs }: PollTime, signal: AbortSignal): Promise<Polled> {
    const read = await this.#reader.read(signal)
    const reading: AtsReading =
      'reason' in read ? { commsLost: true, reason: read.reason } : read.mib.read(read.values)
    const before = this.#before
    this.#before = reading
    const isUrgent =
      before === undefined ? isBad(reading) : URGENT.some((key) => reading[key] !== before[key])
    const tags = { target: this.#target, source: this.#reader.mib?.source }
    return {
      isUrgent,
      points: [
        measurement('transfer_switch', nowUs, tags, {
          selected: reading.selected,
          preferred: reading.preferred,
          source_a_ok: reading.sourceAOk,
          source_b_ok: reading.sourceBOk,
          redundancy_lost: reading.redundancyLost,
          output_ok: reading.outputOk,
          overload: reading.overload,
          alarm: reading.alarm,
          comms_lost: reading.commsLost,
          reason: reading.reason,
          input_a_v: reading.inputAV,
          input_b_v: reading.inputBV,
          model: reading.model,
          serial: reading.serial,
          firmware: reading.firmware,
        }),
      ],
    }
  }
}

function isBad({ commsLost, redundancyLost, outputOk, overload }: AtsReading): boolean {
  return commsLost || redundancyLost === true || outputOk === false || overload === true
}
