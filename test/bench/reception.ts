import { AUDIO } from '../../agent/rtp/payload.ts'
import { Reception } from '../../agent/rtp/reception.ts'

const STREAMS = [10, 800, 20_000]
const PACKETS = 8_000_000
const RUNS = 5
const PACKET_US = 20_000
const PACKET_TICKS = 160
const OCTETS = 160
const TICK_US = 125
const START_US = 1_750_000_000_000_000
const INTERVAL_US = 10_000_000
/** Every so many packets one is lost. */
const LOSS = 97
const JITTER_US = 4000
const MEGA = 1e6

/** What measuring costs alone: packets of many streams in turn through Reception.receive(), and an interval read every 10 s. */
export async function bench(): Promise<void> {
  for (const streams of STREAMS) {
    const rates: number[] = []
    for (let run = 0; run < RUNS; run++) rates.push(await Promise.resolve(measure(streams)))
    rates.sort((a, b) => a - b)
    const list = rates.map((rate) => rate.toFixed(2)).join(' ')
    console.log(
      `${streams} streams: ${(rates[RUNS >> 1] ?? NaN).toFixed(2)} million packets/s (${list})`,
    )
  }
}

function measure(streams: number): number {
  const reception = new Reception(streams)
  for (let stream = 0; stream < streams; stream++) reception.open(stream, stream & 0xffff)
  const rounds = Math.ceil(PACKETS / streams)
  const began = performance.now()
  let packets = 0
  let random = 1
  for (let round = 0; round < rounds; round++) {
    const timeUs = START_US + round * PACKET_US
    const timestamp = (round * PACKET_TICKS) | 0
    for (let stream = 0; stream < streams; stream++) {
      if ((round + stream) % LOSS === 0) continue
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0
      const arrivalUs = timeUs + ((random >>> 16) % JITTER_US)
      const number = (round + stream) & 0xffff
      reception.receive(stream, number, timestamp, arrivalUs, OCTETS, TICK_US, false, AUDIO)
      packets++
    }
    if ((timeUs - START_US) % INTERVAL_US !== 0) continue
    for (let stream = 0; stream < streams; stream++) {
      reception.measures(stream, timeUs, false)
      reception.startInterval(stream)
    }
  }
  return packets / ((performance.now() - began) / 1000) / MEGA
}
