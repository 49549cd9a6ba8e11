/**
 * The E-model, narrowband: ITU-T G.107 with all its terms. Parameters keep the names of the Recommendation; levels in dB, dBm0p or
 * dB(A), delays in ms.
 */

export interface EModelParameters {
  /** Send and receive loudness rating. */
  readonly slr: number
  readonly rlr: number
  /** Sidetone masking rating, listener sidetone rating. */
  readonly stmr: number
  readonly lstr: number
  /** D-factor of the telephone at the send side. */
  readonly ds: number
  /** Talker echo loudness rating; weighted echo path loss. */
  readonly telr: number
  readonly wepl: number
  /** Mean one-way delay of the echo path, round trip of the four-wire loop, absolute delay without echo. */
  readonly tMs: number
  readonly trMs: number
  readonly taMs: number
  /** Quantization distortion units. */
  readonly qdu: number
  /** Equipment impairment of the codec, and its robustness against loss. */
  readonly ie: number
  readonly bpl: number
  /** Packet loss, 0..1 (the Recommendation's Ppl in percent). */
  readonly lossRatio: number
  /** Mean run of loss, measured against that of random loss; 1 is random. */
  readonly burstRatio: number
  /** Circuit noise; noise floor at the receive side. */
  readonly nc: number
  readonly nfor: number
  /** Room noise at the send and receive side. */
  readonly ps: number
  readonly pr: number
  /** Advantage factor: what people forgive for being mobile. */
  readonly advantage: number
}

/** R and what it is made of. */
export interface TransmissionRating {
  /** No: all noise, as seen at the 0 dBr point. */
  readonly noise: number
  /** Ro. */
  readonly signalToNoise: number
  /** Is, and its parts Iolr, Ist, Iq. */
  readonly simultaneous: number
  readonly loudness: number
  readonly sidetone: number
  readonly quantization: number
  /** Id, and its parts Idte, Idle, Idd. */
  readonly delay: number
  readonly talkerEcho: number
  readonly listenerEcho: number
  readonly absoluteDelay: number
  /** Ie_eff. */
  readonly equipment: number
  /** R, not limited to 0..100. */
  readonly r: number
}

/** The default values of table 3 of the Recommendation: a line without echo, delay, loss or codec. */
const DEFAULT_PARAMETERS: EModelParameters = {
  slr: 8,
  rlr: 2,
  stmr: 15,
  lstr: 18,
  ds: 3,
  telr: 65,
  wepl: 110,
  tMs: 0,
  trMs: 0,
  taMs: 0,
  qdu: 1,
  ie: 0,
  bpl: 4.3,
  lossRatio: 0,
  burstRatio: 1,
  nc: -70,
  nfor: -64,
  ps: 35,
  pr: 35,
  advantage: 0,
}

/** Beyond it the loss of codec and packets says nothing more, and the formula would pass it when loss comes in bursts. */
const MAX_IMPAIRMENT = 95
const MIN_BURST_RATIO = 1
const MAX_BURST_RATIO = 8
const PERCENT = 100
const MAX_R = 100
const MIN_MOS = 1
const MAX_MOS = 4.5
/** Delay that nobody notices. */
const UNNOTICED_DELAY_MS = 100
/** Echo that comes back sooner than this is sidetone. */
const MIN_ECHO_MS = 1
/** From where on the sidetone, or its absence, changes how echo is heard. */
const STRONG_SIDETONE = 9
const WEAK_SIDETONE = 20

/** G.107 clause 7. What is not given has its default value. */
export function transmissionRating(given: Partial<EModelParameters> = {}): TransmissionRating {
  const parameters = { ...DEFAULT_PARAMETERS, ...given }
  const { slr, rlr, lossRatio } = parameters
  const noise = noiseSum(parameters)
  const signalToNoise = 15 - 1.5 * (slr + noise)
  const loudness = loudnessImpairment(slr + rlr, noise, rlr)
  const sidetone = sidetoneImpairment(parameters)
  const quantization = quantizationImpairment(signalToNoise, parameters.qdu)
  const simultaneous = loudness + sidetone + quantization
  const talkerEcho = talkerEchoImpairment(parameters, noise, sidetone)
  const listenerEcho = listenerEchoImpairment(parameters, signalToNoise)
  const absoluteDelay = absoluteDelayImpairment(parameters.taMs)
  const delay = talkerEcho + listenerEcho + absoluteDelay
  const equipment = equipmentImpairment(
    parameters.ie,
    parameters.bpl,
    lossRatio,
    parameters.burstRatio,
  )
  return {
    noise,
    signalToNoise,
    simultaneous,
    loudness,
    sidetone,
    quantization,
    delay,
    talkerEcho,
    listenerEcho,
    absoluteDelay,
    equipment,
    r: signalToNoise - simultaneous - delay - equipment + parameters.advantage,
  }
}

/** Ie_eff, clause 7.5: the codec and the packets it did not get. The burst ratio is kept to 1..8, the sum to 95. */
export function equipmentImpairment(
  ie: number,
  bpl: number,
  lossRatio: number,
  burstRatio = MIN_BURST_RATIO,
): number {
  const lossPercent = lossRatio * PERCENT
  const bursts = Math.min(MAX_BURST_RATIO, Math.max(MIN_BURST_RATIO, burstRatio))
  const effective = ie + ((MAX_IMPAIRMENT - ie) * lossPercent) / (lossPercent / bursts + bpl)
  return Math.min(Math.max(ie, MAX_IMPAIRMENT), effective)
}

/** Idd, clause 7.4: delay without any echo. */
export function absoluteDelayImpairment(taMs: number): number {
  if (taMs <= UNNOTICED_DELAY_MS) return 0
  const x = Math.log2(taMs / UNNOTICED_DELAY_MS)
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
}

/** Annex B. The polynomial dips below 1 for R under 6.5; nothing is worse than 1. */
export function mosOf(r: number): number {
  if (r <= 0) return MIN_MOS
  if (r >= MAX_R) return MAX_MOS
  return Math.max(MIN_MOS, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r))
}

/** Appendix I: the R of a MOS between 1 and 4.5, for 6.5 <= R <= 100. */
export function rOf(mos: number): number {
  const x = 18_566 - 6750 * mos
  const y = 15 * Math.sqrt(-903_522 + 1_113_960 * mos - 202_500 * mos ** 2)
  const h = Math.atan2(y, x) / 3
  return (20 / 3) * (8 - Math.sqrt(226) * Math.cos(h + Math.PI / 3))
}

/** No, clause 7.2: the powers of four noises added up. */
function noiseSum({ slr, rlr, lstr, ds, nc, nfor, ps, pr }: EModelParameters): number {
  const sendRoom = ps - slr - ds - 100 + 0.004 * (ps - (slr + rlr) - ds - 14) ** 2
  const effectiveRoom = pr + decibel(1 + power(10 - lstr))
  const receiveRoom = rlr - 121 + effectiveRoom + 0.008 * (effectiveRoom - 35) ** 2
  return decibel(power(nc) + power(sendRoom) + power(receiveRoom) + power(nfor + rlr))
}

/** Iolr, clause 7.3: too loud or too quiet. */
function loudnessImpairment(olr: number, noise: number, rlr: number): number {
  const x = (olr + 0.2 * (64 + noise - rlr)) / 8
  return 20 * ((1 + x ** 8) ** (1 / 8) - x)
}

/** Ist, clause 7.3. */
function sidetoneImpairment({ stmr, telr, tMs }: EModelParameters): number {
  const masking = -decibel(power(-stmr) + Math.exp(-tMs / 4) * power(-telr))
  return (
    12 * (1 + ((masking - 13) / 6) ** 8) ** (1 / 8) -
    28 * (1 + ((masking + 1) / 19.4) ** 35) ** (1 / 35) -
    13 * (1 + ((masking - 3) / 33) ** 13) ** (1 / 13) +
    29
  )
}

/** Iq, clause 7.3. */
function quantizationImpairment(signalToNoise: number, qdu: number): number {
  const q = 37 - 15 * Math.log10(qdu)
  const g = 1.07 + 0.258 * q + 0.0602 * q ** 2
  const y = (signalToNoise - 100) / 15 + 46 / 8.4 - g / 9
  const z = 46 / 30 - g / 40
  return 15 * Math.log10(1 + 10 ** y + 10 ** z)
}

/** Idte, clause 7.4: one's own voice coming back. */
function talkerEchoImpairment(
  { telr, stmr, tMs, rlr }: EModelParameters,
  noise: number,
  sidetone: number,
): number {
  const echo =
    telr - 40 * Math.log10((1 + tMs / 10) / (1 + tMs / 150)) + 6 * Math.exp(-0.3 * tMs ** 2)
  const masked = stmr < STRONG_SIDETONE ? echo + sidetone / 2 : echo
  const difference = (-1.5 * (noise - rlr) - (80 + 2.5 * (masked - 14))) / 2
  const impairment =
    tMs < MIN_ECHO_MS
      ? 0
      : (difference + Math.sqrt(difference ** 2 + 100) - 1) * (1 - Math.exp(-tMs))
  return stmr > WEAK_SIDETONE ? Math.hypot(impairment, sidetone) : impairment
}

/** Idle, clause 7.4: the other's voice coming twice. */
function listenerEchoImpairment({ wepl, trMs }: EModelParameters, signalToNoise: number): number {
  const difference = (signalToNoise - 10.5 * (wepl + 7) * (trMs + 1) ** -0.25) / 2
  return difference + Math.sqrt(difference ** 2 + 169)
}

function decibel(ratio: number): number {
  return 10 * Math.log10(ratio)
}

function power(decibels: number): number {
  return 10 ** (decibels / 10)
}
