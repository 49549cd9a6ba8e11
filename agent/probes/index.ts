import type { ProbeKind } from '../probe.ts'

/** Every probe there is. Only what is configured is loaded: the agent's memory depends on it. */
export const PROBES: Readonly<Record<string, () => Promise<ProbeKind>>> = {
  'rtp-capture': async () => (await import('./rtp-capture.ts')).rtpCapture,
  'rtp-test': async () => (await import('./rtp-test.ts')).rtpTest,
  'rtp-reflect': async () => (await import('./rtp-reflect.ts')).rtpReflect,
  'sip-register': async () => (await import('./sip-register.ts')).sipRegister,
  'sip-options': async () => (await import('./sip-options.ts')).sipOptions,
  'sip-call': async () => (await import('./sip-call.ts')).sipCall,
  ping: async () => (await import('./ping.ts')).ping,
  host: async () => (await import('./host.ts')).host,
  'ups-nut': async () => (await import('./ups-nut.ts')).upsNut,
  'ups-apcupsd': async () => (await import('./ups-apcupsd.ts')).upsApcupsd,
  'ups-snmp': async () => (await import('./ups-snmp.ts')).upsSnmp,
  'ats-snmp': async () => (await import('./ats-snmp.ts')).atsSnmp,
  'pdu-snmp': async () => (await import('./pdu-snmp.ts')).pduSnmp,
  'poe-snmp': async () => (await import('./poe-snmp.ts')).poeSnmp,
}
