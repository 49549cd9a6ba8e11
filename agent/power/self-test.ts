import type { UpsReading } from './ups-reading.ts'

/** What apcupsd writes for the result of a self-test (its apcstatus.c). */
const NIS_RESULTS: Readonly<Record<string, SelfTestFacts>> = {
  OK: { selfTest: 'passed', selfTestFailed: false },
  NG: { selfTest: 'failed', selfTestFailed: true },
  BT: { selfTest: 'failed: battery capacity', selfTestFailed: true },
  WN: { selfTest: 'warning' },
  IP: { selfTest: 'in progress', selfTesting: true },
  NO: { selfTest: 'none' },
}

type SelfTestFacts = Pick<UpsReading, 'selfTest' | 'selfTestFailed' | 'selfTesting'>

/**
 * What a self-test came to, from the words of a source: those of NUT's drivers, of UPS-MIB and of apcupsd. The words themselves are
 * kept; whether it failed is said where they say it, and a warning, an abort or a test never made is neither.
 */
export function readSelfTest(words: string | undefined): SelfTestFacts {
  const text = words?.trim() ?? ''
  if (text === '' || text === '??') return {}
  const known = Object.hasOwn(NIS_RESULTS, text) ? NIS_RESULTS[text] : undefined
  if (known !== undefined) return known
  const isRunning = /progress|running|underway/i.test(text)
  return {
    selfTest: text,
    ...(isRunning ? { selfTesting: true } : verdictOf(text)),
  }
}

function verdictOf(text: string): SelfTestFacts {
  if (/\bno\b|\bnot\b|invalid|never|abort|warn|schedul|unknown/i.test(text)) {
    // "Not passed" is a failure; "no test made", "aborted" and "done with a warning" are not known to be one.
    return /not? pass/i.test(text) ? { selfTestFailed: true } : {}
  }
  if (/fail|error|bad\b/i.test(text)) return { selfTestFailed: true }
  return /pass|\bok\b|success|good/i.test(text) ? { selfTestFailed: false } : {}
}
