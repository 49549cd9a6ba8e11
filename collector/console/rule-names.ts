/** What an alert is about in two or three words, by rule. */
const NAMES: Readonly<Record<string, string>> = {
  'path-loss': 'loss',
  'call-loss': 'loss on one call',
  'path-jitter': 'jitter',
  'path-mos': 'sound quality',
  'path-effective-loss': 'lost or too late',
  'media-stopped': 'sound stopped',
  'call-stopped': 'one call silent',
  'call-media': 'one-way or silent calls',
  'clear-rtp': 'not encrypted',
  'test-unanswered': 'test unanswered',
  'tap-blind': 'tap blind',
  'sensor-suspected': 'sensor suspected',
  'site-cut-off': 'site cut off',
  'service-down': 'service down',
  'power-event': 'power event',
  'redundancy-lost': 'redundancy lost',
  'component-down': 'component down',
  'design-change': 'design change',
  'design-drift': 'not drawn',
  'paper-redundancy': 'on paper only',
  'ups-on-battery': 'UPS on battery',
  'ups-transfers': 'short transfers',
  'ups-low-battery': 'low battery',
  'ups-no-output': 'UPS without output',
  'ups-no-backup': 'no backup',
  'ups-overload': 'UPS overloaded',
  'ups-over-temperature': 'UPS too hot',
  'battery-old': 'old battery',
  'power-blind': 'power not read',
  'ats-redundancy': 'transfer switch',
  'pdu-overload': 'PDU overloaded',
  'pdu-outlet-off': 'outlet off',
  'poe-budget': 'PoE budget',
  'poe-port': 'PoE port',
  'agent-silent': 'agent silent',
  'agent-isolated': 'agent cut off',
}

/** A rule that is not in the list has its own name. */
export function ruleName(rule: string): string {
  return NAMES[rule] ?? rule
}
