import type { MeasurementDefinition } from './measurement.ts'

/** What feeds the calls, as measured by agents and as judged by the collector: part of the vocabulary, in a file of its own. */

const POLL_MS = {
  type: 'float',
  unit: 'ms',
  meaning: 'how often the source itself looks at the device, where it says: no reading is fresher',
} as const

const COMMS = {
  comms_lost: {
    type: 'boolean',
    meaning: 'no fresh data: server, driver, card or cable unreachable, or data stale',
  },
  reason: { type: 'string', meaning: 'why the state is unknown, or what is odd about the reading' },
  stale_s: { type: 'float', unit: 's', meaning: 'age of the reading, where the source says' },
} as const

const IDENTITY = {
  model: { type: 'string', meaning: 'maker and model, as the device words it' },
  serial: { type: 'string', meaning: 'serial number' },
  firmware: { type: 'string', meaning: 'firmware version' },
} as const

export const POWER_VOCABULARY = {
  ups: {
    meaning: 'one uninterruptible power supply',
    tags: {
      target: 'name of the UPS: name@server (NUT), or the name configured',
      source:
        'what it was read from: nut, nis, or snmp-rfc1628, snmp-powernet, snmp-xups, snmp-mge',
    },
    fields: {
      line: {
        type: 'string',
        meaning: 'online, battery, bypass, off or unknown; what feeds the load',
      },
      status: {
        type: 'string',
        meaning: 'status as the source words it (NUT: ups.status)',
        source: 'RFC 9271',
      },
      low_battery: { type: 'boolean', meaning: 'the UPS says its battery is low' },
      replace_battery: { type: 'boolean', meaning: 'the UPS asks for a new battery' },
      no_battery: { type: 'boolean', meaning: 'the UPS says that it has no battery' },
      charger_fault: { type: 'boolean', meaning: 'the charger failed' },
      overload: { type: 'boolean', meaning: 'load beyond what the UPS can carry' },
      over_temperature: { type: 'boolean', meaning: 'the UPS or its battery says it is too hot' },
      alarm: { type: 'boolean', meaning: 'the UPS reports an alarm' },
      alarms: { type: 'string', meaning: 'the alarms present, as the source words them' },
      forced_shutdown: { type: 'boolean', meaning: 'a shutdown was ordered (FSD)' },
      shutdown_pending: { type: 'boolean', meaning: 'the UPS is about to switch off' },
      calibrating: { type: 'boolean', meaning: 'discharging on purpose to calibrate' },
      self_testing: { type: 'boolean', meaning: 'on battery on purpose: a self-test runs' },
      boost: { type: 'boolean', meaning: 'the input is low and being raised' },
      trim: { type: 'boolean', meaning: 'the input is high and being lowered' },
      charging: { type: 'boolean', meaning: 'the battery is being charged' },
      discharging: { type: 'boolean', meaning: 'the battery is being drained' },
      redundancy_lost: {
        type: 'boolean',
        meaning: 'a modular UPS has no spare power module left',
      },
      frozen: {
        type: 'boolean',
        meaning:
          'on battery, and nothing of the reading has changed for so long that it is not believed',
      },
      ...COMMS,
      poll_ms: POLL_MS,
      charge_ratio: { type: 'float', unit: 'ratio', meaning: 'battery charge, 0..1' },
      low_charge_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'charge at which the UPS calls its battery low',
      },
      runtime_s: {
        type: 'float',
        unit: 's',
        meaning: 'time on battery left, as the UPS estimates it',
      },
      runtime_estimate_s: {
        type: 'float',
        unit: 's',
        meaning:
          'our own estimate from the slope of the charge, on battery, over at least 3 readings and 5 min',
      },
      runtime_left_s: {
        type: 'float',
        unit: 's',
        meaning:
          'the smaller of runtime_s and runtime_estimate_s; does not grow on battery unless the load fell',
      },
      low_runtime_s: {
        type: 'float',
        unit: 's',
        meaning: 'runtime at which the UPS calls its battery low',
      },
      on_battery_s: { type: 'float', unit: 's', meaning: 'time on battery so far' },
      transfers: {
        type: 'integer',
        meaning:
          'transfers to battery since the UPS or its server counts; a rise tells of those nobody saw',
      },
      last_transfer: { type: 'string', meaning: 'why it went to battery last' },
      load_ratio: { type: 'float', unit: 'ratio', meaning: 'load, 1 = nominal' },
      load_w: { type: 'float', unit: 'W', meaning: 'real power drawn' },
      nominal_w: { type: 'float', unit: 'W', meaning: 'real power it can carry' },
      input_v: { type: 'float', unit: 'V', meaning: 'input voltage (of three phases: the lowest)' },
      input_hz: { type: 'float', unit: 'Hz', meaning: 'input frequency' },
      output_v: { type: 'float', unit: 'V', meaning: 'output voltage' },
      battery_v: { type: 'float', unit: 'V', meaning: 'battery voltage' },
      temperature_c: { type: 'float', unit: 'C', meaning: 'temperature of UPS or battery' },
      battery_date: {
        type: 'string',
        meaning: 'when the battery was put in, as the source words it',
      },
      battery_age_days: {
        type: 'float',
        unit: 'days',
        meaning: 'since the battery was put in, where its date can be read',
      },
      self_test: {
        type: 'string',
        meaning: 'result of the last self-test, as the source words it',
      },
      self_test_failed: { type: 'boolean', meaning: 'the last self-test failed' },
      self_test_date: { type: 'string', meaning: 'when it was, as the source words it' },
      ...IDENTITY,
    },
  },
  power_supply: {
    meaning: "the machine's own mains and battery, where it truly knows",
    tags: { target: 'name of the supply (mains, BAT0 ...)' },
    fields: {
      kind: { type: 'string', meaning: 'mains, battery or ups' },
      online: { type: 'boolean', meaning: 'mains is present; absent when unknown' },
      status: { type: 'string', meaning: 'charging, discharging, full ..., or unknown' },
      charge_ratio: { type: 'float', unit: 'ratio', meaning: 'battery charge, 0..1' },
      runtime_s: { type: 'float', unit: 's', meaning: 'time left on battery' },
    },
  },
  transfer_switch: {
    meaning: 'one automatic transfer switch (ATS): a load on one of two sources',
    tags: { target: 'name configured', source: 'snmp-apc-ats, snmp-eaton-ats or nut' },
    fields: {
      selected: { type: 'string', meaning: 'source that feeds the load: a or b' },
      preferred: { type: 'string', meaning: 'source it should take: a, b or none' },
      source_a_ok: { type: 'boolean', meaning: 'source A is good; absent while unknown' },
      source_b_ok: { type: 'boolean', meaning: 'source B is good; absent while unknown' },
      redundancy_lost: { type: 'boolean', meaning: 'the source not selected could not take over' },
      output_ok: { type: 'boolean', meaning: 'the load is fed; absent while unknown' },
      overload: { type: 'boolean', meaning: 'more current than it can carry' },
      alarm: { type: 'boolean', meaning: 'supply, switch or hardware of the ATS failed' },
      ...COMMS,
      input_a_v: { type: 'float', unit: 'V', meaning: 'voltage of source A' },
      input_b_v: { type: 'float', unit: 'V', meaning: 'voltage of source B' },
      ...IDENTITY,
    },
  },
  pdu: {
    meaning: 'one power distribution unit, or one bank of it',
    tags: { target: 'name configured, and the bank: pdu-a, pdu-a/bank-2' },
    fields: {
      load_a: { type: 'float', unit: 'A', meaning: 'current drawn' },
      load_w: { type: 'float', unit: 'W', meaning: 'power drawn' },
      near_overload: { type: 'boolean', meaning: 'its own warning threshold is passed' },
      overload: { type: 'boolean', meaning: 'its own overload threshold is passed' },
      outlets: { type: 'integer', meaning: 'outlets it has' },
      outlets_on: { type: 'integer', meaning: 'outlets switched on' },
      ...COMMS,
      ...IDENTITY,
    },
  },
  pdu_outlet: {
    meaning: 'one switched outlet',
    tags: { target: 'name of the PDU and number of the outlet: pdu-a/7' },
    fields: {
      on: { type: 'boolean', meaning: 'it gives power; absent while unknown' },
      label: { type: 'string', meaning: 'name given to it in the PDU' },
      load_a: { type: 'float', unit: 'A', meaning: 'current drawn' },
      load_w: { type: 'float', unit: 'W', meaning: 'power drawn' },
      ...COMMS,
    },
  },
  poe_port: {
    meaning: 'one port of a switch that can feed what hangs on it',
    tags: { target: 'switch, group and port: sw-1/1/12' },
    fields: {
      interval_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'length of the interval the counters cover; it ends at the timestamp',
      },
      delivering: {
        type: 'boolean',
        meaning: 'it gives power; absent while unknown',
        source: 'RFC 3621 pethPsePortDetectionStatus',
      },
      status: {
        type: 'string',
        meaning: 'disabled, searching, delivering, fault, test or other-fault',
        source: 'RFC 3621 pethPsePortDetectionStatus',
      },
      priority: { type: 'string', meaning: 'critical, high or low', source: 'RFC 3621' },
      power_class: { type: 'integer', meaning: 'class 0..8; only while delivering' },
      denied: { type: 'integer', meaning: 'times power was refused, in the interval' },
      overloads: { type: 'integer', meaning: 'times it drew too much, in the interval' },
      shorts: { type: 'integer', meaning: 'short circuits in the interval' },
      absences: { type: 'integer', meaning: 'times what it fed went away, in the interval' },
      label: { type: 'string', meaning: 'name given to the port in the switch' },
      ...COMMS,
    },
  },
  poe_budget: {
    meaning: 'the PoE supply of one switch, or of one member of a stack',
    tags: { target: 'switch and group: sw-1/1' },
    fields: {
      state: { type: 'string', meaning: 'on, off, faulty or unknown', source: 'RFC 3621' },
      nominal_w: { type: 'float', unit: 'W', meaning: 'power it can give' },
      consumption_w: { type: 'float', unit: 'W', meaning: 'power it gives' },
      threshold_ratio: { type: 'float', unit: 'ratio', meaning: 'its own warning threshold' },
      used_ratio: { type: 'float', unit: 'ratio', meaning: 'consumption_w / nominal_w' },
      ports_delivering: { type: 'integer', meaning: 'ports that give power' },
      ports_denied: { type: 'integer', meaning: 'ports refused power in the interval' },
      ...COMMS,
    },
  },
  farewell: {
    meaning:
      'the last word of an agent whose machine is about to lose its power or is being shut down, sent at once and signed',
    tags: {},
    fields: {
      cause: {
        type: 'string',
        meaning:
          'on-battery, low-battery, shutdown (of the machine), stop (of the agent alone), failure (an error of its own) or unknown (told to end, and nothing says why)',
      },
      power: { type: 'string', meaning: 'which supply says so: a target of ups or power_supply' },
      charge_ratio: { type: 'float', unit: 'ratio', meaning: 'charge left, 0..1' },
      runtime_s: { type: 'float', unit: 's', meaning: 'time left, as the supply estimates it' },
      signature: {
        type: 'string',
        meaning:
          'HMAC-SHA-256 over agent, site, time, cause and power, with a key made of the token; where nobody knows which collector will get it, one for each, with spaces between. Without a right one the point is refused',
      },
    },
  },
  component: {
    meaning:
      'written by the collector: what is known of a component of the site file that is watched, or whose failure alone would stop a service; every minute, and when it changes',
    tags: { target: 'its id in the site file', kind: 'its kind there' },
    fields: {
      state: {
        type: 'string',
        meaning: 'up, degraded, down or unknown; absent where no watch ever told of it',
      },
      state_code: {
        type: 'integer',
        meaning: 'the same for state timelines: 0 up, 1 degraded, 2 unknown, 3 down',
      },
      reason: { type: 'string', meaning: 'what says so, in words' },
      stops: { type: 'string', meaning: 'services that its failure would stop now' },
      stops_services: { type: 'integer', meaning: 'how many these are' },
      minutes_left: { type: 'float', unit: 'min', meaning: 'until it falls, while on battery' },
    },
  },
} as const satisfies Readonly<Record<string, MeasurementDefinition>>

/** What the topology says of a service. */
export const SERVICE_CHAIN_FIELDS = {
  state_code: {
    type: 'integer',
    meaning: 'state for state timelines: 0 up, 1 at-risk, 2 unknown, 3 down',
  },
  up: { type: 'boolean', meaning: 'all it needs works; absent while unknown' },
  single_points: {
    type: 'integer',
    meaning: 'components whose failure alone would stop it now',
  },
  new_single_points: {
    type: 'integer',
    meaning: 'of these, those that are not single points as drawn: redundancy lost',
  },
  singles: { type: 'string', meaning: 'the ids of the single points' },
  new_singles: { type: 'string', meaning: 'the ids of the new single points' },
  because: { type: 'string', meaning: 'what failed, where the service is down' },
  minutes_left: {
    type: 'float',
    unit: 'min',
    meaning: 'until it falls if nothing changes; absent while nothing runs out',
  },
  hold_up_min: { type: 'float', unit: 'min', meaning: 'how long it should last without mains' },
} as const
