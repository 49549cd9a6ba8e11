import type { MeasurementDefinition } from './measurement.ts'
import { POWER_VOCABULARY, SERVICE_CHAIN_FIELDS } from './power-vocabulary.ts'
import { SIP_CHECK_VOCABULARY } from './sip-check-vocabulary.ts'
import { SIP_AGENT_FIELDS, SIP_VOCABULARY } from './sip-vocabulary.ts'

/**
 * Every measurement Kiestoon speaks, in one table. From it come the types, the collector's validation, the columns of the embedded
 * store and the vocabulary page of the docs. A field never changes type or unit; a new meaning is a new field.
 */

const INTERVAL_MS = {
  type: 'float',
  unit: 'ms',
  meaning: 'length of the interval the point covers; it ends at the timestamp',
} as const

const PATH_TAGS = {
  from: 'network of the sender, set by the collector from the site file',
  to: 'network of the receiver, set by the collector',
  at: 'network where the agent observes, set by the collector; what is judged is the segment from -> at',
  bearer: 'carrier medium of the judged segment (lan, wan, internet ...), set by the collector',
  owner: 'party responsible for the judged segment, set by the collector',
} as const

const RECEPTION = {
  expected: {
    type: 'integer',
    unit: 'packets',
    meaning: 'packets the sequence numbers say were sent',
    source: 'RFC 3550 A.3',
  },
  received: {
    type: 'integer',
    unit: 'packets',
    meaning: 'packets accepted, duplicates and late ones included',
    source: 'RFC 3550 A.3',
  },
  lost: {
    type: 'integer',
    unit: 'packets',
    meaning: 'expected - received; negative when duplicates outnumber losses',
    source: 'RFC 3550 A.3',
  },
  lost_unique: {
    type: 'integer',
    unit: 'packets',
    meaning:
      'expected - distinct packets received: a duplicate does not heal a loss; what the 3 % rule judges. Negative in an interval in which a packet came that an earlier interval counted as lost',
  },
  loss_ratio: {
    type: 'float',
    unit: 'ratio',
    meaning: 'lost_unique / expected, 0..1; absent when nothing was expected',
  },
  duplicates: {
    type: 'integer',
    unit: 'packets',
    meaning: 'packets whose sequence number had already been seen',
  },
  reordered: {
    type: 'integer',
    unit: 'packets',
    meaning: 'packets older than the newest that were not duplicates',
  },
  jitter_ms: {
    type: 'float',
    unit: 'ms',
    meaning: 'interarrival jitter at the end of the interval',
    source: 'RFC 3550 A.8',
  },
  jitter_max_ms: {
    type: 'float',
    unit: 'ms',
    meaning: 'highest interarrival jitter within the interval',
    source: 'RFC 3550 A.8',
  },
} as const

const XR_BURST = 'RFC 3611 4.7.2, Gmin 16'

const QUALITY = {
  r_factor: {
    type: 'float',
    meaning: 'transmission rating without delay: what mos_lq is made of',
    source: 'ITU-T G.107, G.107.1, G.107.2',
  },
  mos_lq: {
    type: 'float',
    meaning: 'listening quality, 1..4.5; absent for a codec without rating',
    source: 'ITU-T G.107 annex B',
  },
  mos_cq: {
    type: 'float',
    meaning:
      'conversational quality, 1..4.5: with delay; absent while nobody measured a round trip',
    source: 'ITU-T G.107 annex B',
  },
} as const

const DELTA_COUNT = { type: 'integer', unit: 'packets' } as const
const DELTA_COUNTS = {
  delta_le_5: { ...DELTA_COUNT, meaning: 'arrivals at most 5 ms after the one before; absent = 0' },
  delta_le_10: { ...DELTA_COUNT, meaning: 'above 5 ms, at most 10 ms' },
  delta_le_15: { ...DELTA_COUNT, meaning: 'above 10 ms, at most 15 ms' },
  delta_le_20: { ...DELTA_COUNT, meaning: 'above 15 ms, at most 20 ms' },
  delta_le_25: { ...DELTA_COUNT, meaning: 'above 20 ms, at most 25 ms' },
  delta_le_30: { ...DELTA_COUNT, meaning: 'above 25 ms, at most 30 ms' },
  delta_le_40: { ...DELTA_COUNT, meaning: 'above 30 ms, at most 40 ms' },
  delta_le_60: { ...DELTA_COUNT, meaning: 'above 40 ms, at most 60 ms' },
  delta_le_80: { ...DELTA_COUNT, meaning: 'above 60 ms, at most 80 ms' },
  delta_le_100: { ...DELTA_COUNT, meaning: 'above 80 ms, at most 100 ms' },
  delta_le_150: { ...DELTA_COUNT, meaning: 'above 100 ms, at most 150 ms' },
  delta_le_200: { ...DELTA_COUNT, meaning: 'above 150 ms, at most 200 ms' },
  delta_le_500: { ...DELTA_COUNT, meaning: 'above 200 ms, at most 500 ms' },
  delta_gt_500: { ...DELTA_COUNT, meaning: 'above 500 ms' },
} as const

const LOSS_RUN = { type: 'integer' } as const
const LOSS_RUNS = {
  loss_run_1: { ...LOSS_RUN, meaning: 'single packets lost, once known to be lost; absent = 0' },
  loss_run_2: { ...LOSS_RUN, meaning: 'runs of 2 packets lost in a row' },
  loss_run_3: { ...LOSS_RUN, meaning: 'runs of 3 packets lost in a row' },
  loss_run_4: { ...LOSS_RUN, meaning: 'runs of 4 packets lost in a row' },
  loss_run_5: { ...LOSS_RUN, meaning: 'runs of 5 packets lost in a row' },
  loss_run_6: { ...LOSS_RUN, meaning: 'runs of 6 packets lost in a row' },
  loss_run_7: { ...LOSS_RUN, meaning: 'runs of 7 packets lost in a row' },
  loss_run_8: { ...LOSS_RUN, meaning: 'runs of 8 packets lost in a row' },
  loss_run_9: { ...LOSS_RUN, meaning: 'runs of 9 packets lost in a row' },
  loss_run_10: { ...LOSS_RUN, meaning: 'runs of 10 or more packets lost in a row' },
} as const

const ENDPOINTS = {
  src_ip: { type: 'string', meaning: 'sender address' },
  src_port: { type: 'integer', meaning: 'sender port' },
  dst_ip: { type: 'string', meaning: 'receiver address' },
  dst_port: { type: 'integer', meaning: 'receiver port' },
} as const
const SSRC = {
  type: 'string',
  meaning: 'synchronisation source, as 0x and 8 hex digits',
  source: 'RFC 3550 5.1',
} as const

const TAP = {
  type: 'string',
  meaning:
    'interface the tap listens on, or the mirror: two taps of one agent may see the same stream; absent for a file',
} as const

export const VOCABULARY = {
  rtp_stream: {
    meaning: 'one RTP stream over one interval, counted from packets',
    tags: {
      ...PATH_TAGS,
      codec: 'payload name, such as PCMA, or "unknown"',
      source: 'how the packets came: capture or file',
    },
    fields: {
      interval_ms: INTERVAL_MS,
      active_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'time from the first to the last packet of the stream within the interval',
      },
      first: { type: 'boolean', meaning: 'the stream was first seen in this interval' },
      ended: { type: 'boolean', meaning: 'the stream is over: nothing came for the idle time' },
      ...ENDPOINTS,
      ssrc: SSRC,
      payload_type: { type: 'integer', meaning: 'RTP payload type', source: 'RFC 3551 6' },
      sequence_first: {
        type: 'integer',
        meaning:
          'lowest sequence number counted in the interval, extended by the wraps the agent saw: tells whether two agents saw the same packets',
        source: 'RFC 3550 A.1',
      },
      sequence_last: {
        type: 'integer',
        meaning: 'highest sequence number of the interval, extended likewise',
        source: 'RFC 3550 A.1',
      },
      ...RECEPTION,
      late: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets 100 or more behind the newest: too late to be placed; part of rejected',
        source: 'RFC 3550 A.1',
      },
      restarts: {
        type: 'integer',
        meaning: 'times the sequence numbers jumped by 3000 or more and counting began anew',
        source: 'RFC 3550 A.1',
      },
      rejected: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets of the stream not counted: first of a large jump',
        source: 'RFC 3550 A.1',
      },
      max_delta_ms: { type: 'float', unit: 'ms', meaning: 'longest time between two arrivals' },
      octets: {
        type: 'integer',
        unit: 'bytes',
        meaning: 'RTP payload octets received, padding included',
      },
      jitter_mean_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'mean over the packets of the interval',
        source: 'RFC 3550 A.8',
      },
      jitter_p95_ms: {
        type: 'float',
        unit: 'ms',
        meaning: '95th percentile over the packets of the interval',
        source: 'RFC 3550 A.8',
      },
      ...DELTA_COUNTS,
      packet_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'packet time, learnt from the timestamps of packets in sequence',
      },
      stalled_ms: {
        type: 'float',
        unit: 'ms',
        meaning:
          'how long nothing had come at the end of the interval, of a constant-rate stream that fell silent without BYE, hold or pause in speech',
      },
      gap_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'length of the silences of that kind that ended in the interval',
      },
      gap_lost: {
        type: 'integer',
        unit: 'packets',
        meaning:
          'packets missing over a restart at which number, timestamp and clock advanced alike; not part of expected or lost',
      },
      ...LOSS_RUNS,
      bursts: {
        type: 'integer',
        meaning: 'bursts of loss and discard that ended',
        source: XR_BURST,
      },
      burst_density_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning:
          'share of packets within bursts that were lost or discarded; absent without bursts',
        source: XR_BURST,
      },
      gap_density_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'share of packets between bursts that were lost or discarded',
        source: XR_BURST,
      },
      burst_duration_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'mean length of a burst; absent without bursts',
        source: XR_BURST,
      },
      gap_duration_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'mean length of the time between bursts',
        source: XR_BURST,
      },
      discard_ratio_50: {
        type: 'float',
        unit: 'ratio',
        meaning: 'packets too late for a jitter buffer of 50 ms / expected',
      },
      discard_ratio_200: {
        type: 'float',
        unit: 'ratio',
        meaning: 'packets too late for a jitter buffer of 200 ms / expected',
      },
      discard_ratio_adaptive: {
        type: 'float',
        unit: 'ratio',
        meaning: 'packets too late for an adaptive jitter buffer / expected',
      },
      effective_loss_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'lost_unique and what the adaptive buffer discarded / expected, 0..1',
      },
      talkspurts: { type: 'integer', meaning: 'times speech began after a pause' },
      comfort_noise: {
        type: 'integer',
        unit: 'packets',
        meaning: 'comfort noise',
        source: 'RFC 3389',
      },
      events: { type: 'integer', unit: 'packets', meaning: 'telephone events', source: 'RFC 4733' },
      clock_skew_ppm: {
        type: 'float',
        unit: 'ppm',
        meaning: "how much faster than the agent's clock the sender's runs",
      },
      clock_skew_error_ppm: {
        type: 'float',
        unit: 'ppm',
        meaning: 'twice the standard error of clock_skew_ppm',
      },
      ...QUALITY,
      mos_scale: {
        type: 'string',
        meaning: 'narrowband, wideband or fullband: a MOS compares within its scale only',
      },
      mos_assumed: {
        type: 'boolean',
        meaning: "the codec's impairments are an assumption, not from G.113",
      },
      round_trip_ms: {
        type: 'float',
        unit: 'ms',
        meaning: "round trip between both ends, from their RTCP; absent when they don't tell",
        source: 'RFC 3550 6.4.1',
      },
      srtp: {
        type: 'boolean',
        meaning: 'SRTP; absent when neither signalling nor the size of the packets tells',
        source: 'RFC 3711',
      },
      call_id: { type: 'string', meaning: 'Call-ID of the call that negotiated the stream' },
      tap: TAP,
      dscp: { type: 'integer', meaning: 'DSCP of the newest packet', source: 'RFC 2474' },
      sensor_drops: {
        type: 'integer',
        unit: 'packets',
        meaning:
          "packets the tap itself dropped in this interval, over all streams: the sensor's loss, not the network's",
      },
    },
  },
  rtp_report: {
    meaning:
      "what somebody else says about a stream, over one interval: the receiver's RTCP; kept apart from what was counted from packets",
    tags: {
      ...PATH_TAGS,
      at: 'network of the receiver, set by the collector: a report covers from -> to as a whole, wherever it was overheard',
      codec: 'payload name, or "unknown"',
      source: 'rtcp (receiver report) or rtcp-xr (VoIP metrics block)',
    },
    fields: {
      interval_ms: INTERVAL_MS,
      ...ENDPOINTS,
      ssrc: SSRC,
      tap: TAP,
      reports: { type: 'integer', meaning: 'reports seen in the interval' },
      expected: {
        type: 'integer',
        unit: 'packets',
        meaning: 'difference of the highest sequence number reported',
        source: 'RFC 3550 A.3',
      },
      lost: {
        type: 'integer',
        unit: 'packets',
        meaning: 'difference of the cumulative number of packets lost; a duplicate heals a loss',
        source: 'RFC 3550 6.4.1',
      },
      loss_ratio: { type: 'float', unit: 'ratio', meaning: 'lost / expected, 0..1' },
      jitter_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'interarrival jitter reported',
        source: 'RFC 3550 A.8',
      },
      round_trip_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'rtcp: between the tap and the receiver; rtcp-xr: between both ends',
        source: 'RFC 3550 6.4.1, RFC 3611 4.7.3',
      },
      discard_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'discarded since the call began',
        source: 'RFC 3611 4.7.1',
      },
      burst_density_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'bad packets in bursts',
        source: 'RFC 3611 4.7.2',
      },
      gap_density_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'bad packets in gaps',
        source: 'RFC 3611 4.7.2',
      },
      burst_duration_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'mean length of a burst',
        source: 'RFC 3611 4.7.2',
      },
      gap_duration_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'mean length of a gap',
        source: 'RFC 3611 4.7.2',
      },
      end_system_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'delay within the receiver',
        source: 'RFC 3611 4.7.3',
      },
      jitter_buffer_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'nominal jitter buffer',
        source: 'RFC 3611 4.7.7',
      },
      signal_level_dbm: {
        type: 'float',
        unit: 'dBm0',
        meaning: 'level of the voice',
        source: 'RFC 3611 4.7.4',
      },
      noise_level_dbm: {
        type: 'float',
        unit: 'dBm0',
        meaning: 'level of the noise',
        source: 'RFC 3611 4.7.4',
      },
      ...QUALITY,
    },
  },
  rtp_stall: {
    meaning:
      'sent at once: a constant-rate stream fell silent without BYE, hold or pause in speech, is still silent, or came back',
    tags: { ...PATH_TAGS, codec: 'payload name, or "unknown"', source: 'capture' },
    fields: {
      ...ENDPOINTS,
      ssrc: SSRC,
      call_id: { type: 'string', meaning: 'Call-ID of the call that negotiated the stream' },
      tap: TAP,
      silent_since_ms: {
        type: 'float',
        unit: 'ms',
        meaning:
          "arrival of the last packet before the silence, milliseconds since 1970 by the agent's clock",
      },
      stalled_ms: { type: 'float', unit: 'ms', meaning: 'length of the silence so far, or in all' },
      over: { type: 'boolean', meaning: 'the stream came back, or its call ended' },
    },
  },
  rtp_call: {
    meaning:
      'an established call seen on a tap whose negotiated media is not all there, over one interval',
    tags: { ...PATH_TAGS },
    fields: {
      interval_ms: INTERVAL_MS,
      ...ENDPOINTS,
      call_id: { type: 'string', meaning: 'Call-ID' },
      tap: TAP,
      caller: { type: 'string', meaning: 'who calls, masked' },
      callee: { type: 'string', meaning: 'who is called, masked' },
      one_way: {
        type: 'boolean',
        meaning: 'RTP arrives at one party only: from src to dst nothing comes',
      },
      silent: { type: 'boolean', meaning: 'RTP arrives at no party' },
      established_ms: { type: 'float', unit: 'ms', meaning: 'time since the call was answered' },
    },
  },
  rtp_test: {
    meaning: 'one direction of an active test stream between two agents',
    tags: {
      ...PATH_TAGS,
      target: 'the reflecting agent, as named in the configuration',
      direction: 'forward (to the target) or return',
    },
    fields: {
      interval_ms: INTERVAL_MS,
      src_ip: { type: 'string', meaning: 'sender address' },
      dst_ip: { type: 'string', meaning: 'receiver address' },
      sent: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets sent in this direction, where the sender knows',
      },
      ...RECEPTION,
      round_trip_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'median round trip of the packets that came back; absent when none did',
      },
      round_trip_max_ms: { type: 'float', unit: 'ms', meaning: 'longest round trip' },
      answered: {
        type: 'boolean',
        meaning: 'whether a packet of the stream came back in this interval',
      },
      loop_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning: "longest delay of the tester's own event loop: jitter below it means nothing",
      },
      reason: { type: 'string', meaning: 'why nothing came back, where the system says' },
    },
  },
  rtp_reflect: {
    meaning: "the reflecting end of other agents' test streams, over one interval",
    tags: { target: 'address it listens on' },
    fields: {
      interval_ms: INTERVAL_MS,
      senders: { type: 'integer', meaning: 'agents with a session' },
      received: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets of sessions, duplicates included',
      },
      reflected: { type: 'integer', unit: 'packets', meaning: 'packets sent back' },
      challenged: {
        type: 'integer',
        unit: 'packets',
        meaning: 'first packets answered with a cookie',
      },
      ignored: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets that were not ours, had another key, no valid cookie, or were too old',
      },
      limited: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets counted but not answered: beyond the rate granted',
      },
      refused: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets of agents beyond the number of senders granted',
      },
      loop_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning: "longest delay of the reflector's own event loop",
      },
    },
  },
  ...SIP_CHECK_VOCABULARY,
  ...SIP_VOCABULARY,
  ping: {
    meaning: 'ICMP echo to one target over one interval',
    tags: { target: 'host name or address, as configured' },
    fields: {
      interval_ms: INTERVAL_MS,
      sent: { type: 'integer', unit: 'packets', meaning: 'echo requests sent' },
      received: { type: 'integer', unit: 'packets', meaning: 'echo replies received' },
      loss_ratio: { type: 'float', unit: 'ratio', meaning: '(sent - received) / sent' },
      round_trip_min_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'shortest round trip; absent when nothing came back',
      },
      round_trip_p50_ms: { type: 'float', unit: 'ms', meaning: 'median round trip' },
      round_trip_p95_ms: {
        type: 'float',
        unit: 'ms',
        meaning: '95th percentile of the round trips',
      },
      round_trip_max_ms: { type: 'float', unit: 'ms', meaning: 'longest round trip' },
      reason: { type: 'string', meaning: 'why nothing could be sent or nothing came back' },
    },
  },
  ...POWER_VOCABULARY,
  host: {
    meaning:
      'the machine the agent runs on; a point with target = an interface has that interface only',
    tags: { target: 'network interface, for its own point' },
    fields: {
      interval_ms: INTERVAL_MS,
      load_ratio: { type: 'float', unit: 'ratio', meaning: 'CPU busy over the interval, 0..1' },
      memory_used_ratio: { type: 'float', unit: 'ratio', meaning: 'memory in use, 0..1' },
      disk_used_ratio: { type: 'float', unit: 'ratio', meaning: 'fullest local disk, 0..1' },
      uptime_s: { type: 'float', unit: 's', meaning: 'time since boot' },
      up: { type: 'boolean', meaning: 'interface operational; absent when unknown' },
      kind: { type: 'string', meaning: 'wired, wireless, vpn, virtual, loopback or unknown' },
      speed_mbit: { type: 'float', unit: 'Mbit/s', meaning: 'link speed' },
      rx_bytes: { type: 'integer', unit: 'bytes', meaning: 'received in the interval' },
      tx_bytes: { type: 'integer', unit: 'bytes', meaning: 'sent in the interval' },
      rx_errors: { type: 'integer', unit: 'packets', meaning: 'receive errors in the interval' },
      tx_errors: { type: 'integer', unit: 'packets', meaning: 'send errors in the interval' },
      rx_dropped: {
        type: 'integer',
        unit: 'packets',
        meaning: 'dropped on receive in the interval',
      },
      tx_dropped: { type: 'integer', unit: 'packets', meaning: 'dropped on send in the interval' },
      wifi_signal_dbm: { type: 'float', unit: 'dBm', meaning: 'Wi-Fi signal level' },
    },
  },
  agent: {
    meaning:
      'the agent itself, over one interval; a point with target = a probe is about that probe only',
    tags: { target: 'probe, for its own point' },
    fields: {
      interval_ms: INTERVAL_MS,
      version: { type: 'string', meaning: 'version of the agent' },
      subnets: { type: 'string', meaning: "the machine's own subnets, separated by spaces" },
      uptime_s: { type: 'float', unit: 's', meaning: 'time since the agent started' },
      machine_uptime_s: {
        type: 'float',
        unit: 's',
        meaning: 'time since its machine started: an agent much younger was started anew alone',
      },
      rss_bytes: { type: 'integer', unit: 'bytes', meaning: 'resident memory' },
      cpu_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'share of one core used over the interval',
      },
      loop_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning: '99th percentile of the event-loop delay',
      },
      clock_step_ms: {
        type: 'float',
        unit: 'ms',
        meaning:
          'wall clock against monotonic clock over the interval: a step or slew of the clock',
      },
      spool_points: { type: 'integer', unit: 'points', meaning: 'points waiting in the spool' },
      spool_bytes: { type: 'integer', unit: 'bytes', meaning: 'size of the spool on disk' },
      spool_dropped: {
        type: 'integer',
        unit: 'points',
        meaning: 'points lost in the interval because the spool was full or the disk failed',
      },
      push_rejected: {
        type: 'integer',
        unit: 'points',
        meaning: 'points a collector refused in the interval',
      },
      push_failures: { type: 'integer', meaning: 'pushes that failed in the interval' },
      runs: { type: 'integer', meaning: 'runs of the probe in the interval' },
      failures: { type: 'integer', meaning: 'runs of the probe that failed in the interval' },
      timeouts: { type: 'integer', meaning: 'runs of the probe cut off at their time limit' },
      skipped: { type: 'integer', meaning: 'runs left out because the one before had not ended' },
      late_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'most a run started behind its time: scheduling error',
      },
      reason: { type: 'string', meaning: 'why the probe failed last' },
      tap: { type: 'string', meaning: 'interface, of a probe that listens on one' },
      sensor_drops: {
        type: 'integer',
        unit: 'packets',
        meaning: 'packets the capture dropped in the interval',
      },
      ignored: {
        type: 'integer',
        unit: 'packets',
        meaning: 'captured packets that were not RTP, in the interval',
      },
      calls: { type: 'integer', meaning: 'calls up at the end of the interval, by signalling' },
      calls_one_way: { type: 'integer', meaning: 'of these, calls with RTP to one party only' },
      calls_silent: { type: 'integer', meaning: 'of these, calls with no RTP at all' },
      ...SIP_AGENT_FIELDS,
      isolated: {
        type: 'boolean',
        meaning:
          'everything the agent watches or reaches fell silent at once: it may be the agent that is cut off',
      },
      streams_evicted: {
        type: 'integer',
        meaning:
          'streams dropped in the interval because there were too many, with what had been counted of them in it',
      },
    },
  },
  path: {
    meaning:
      "written by the collector: a path's pooled loss and the verdict on it, one point per judged interval",
    tags: { ...PATH_TAGS, source: 'what it was judged from: stream, test or report' },
    fields: {
      interval_ms: INTERVAL_MS,
      streams: { type: 'integer', meaning: 'streams in the pool' },
      streams_over: { type: 'integer', meaning: 'streams over the limit by themselves' },
      expected: { type: 'integer', unit: 'packets', meaning: 'sum over the streams' },
      lost_unique: { type: 'integer', unit: 'packets', meaning: 'sum over the streams' },
      loss_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'lost_unique / expected of the pool; absent when nothing was expected',
      },
      effective_lost: {
        type: 'integer',
        unit: 'packets',
        meaning:
          'lost_unique and what the adaptive buffer discarded, sum over the streams of which that is known; absent when of none',
      },
      effective_expected: {
        type: 'integer',
        unit: 'packets',
        meaning: 'expected, sum over the streams counted in effective_lost',
      },
      jitter_ms: { type: 'float', unit: 'ms', meaning: 'highest jitter among the streams' },
      round_trip_ms: { type: 'float', unit: 'ms', meaning: 'round trip, of test streams' },
      mos_lq: {
        type: 'float',
        meaning:
          'lowest listening quality among the streams of the scale most of them have; those of an assumed codec left out',
        source: 'ITU-T G.107 annex B',
      },
      mos_scale: { type: 'string', meaning: 'scale of mos_lq: narrowband, wideband or fullband' },
      limit_ratio: { type: 'float', unit: 'ratio', meaning: 'the limit it was judged by' },
      verdict: {
        type: 'string',
        meaning: 'ok, over, severe, tainted, notice, too-few, or unknown: the agent was cut off',
      },
      breach: {
        type: 'integer',
        meaning:
          '1 while an alert is firing on the path, else 0; its mean is the share of time in breach',
      },
      sensor_drops: {
        type: 'integer',
        unit: 'packets',
        meaning: 'drops of the taps that observed the pool',
      },
    },
  },
  service: {
    meaning:
      'written by the collector: whether a calling service can be used now; every minute, and when it changes. A point with source = readiness is judged from trunk and account, one with source = chain from what the site file says it needs',
    tags: {
      target: 'the service: emergency-112, or its name in the site file',
      source: 'readiness or chain',
    },
    fields: {
      state: {
        type: 'string',
        meaning:
          'readiness: ready, not-ready or unknown; chain: up, at-risk, down or unknown; never ready or up for want of news',
      },
      ready: { type: 'boolean', meaning: 'absent while unknown' },
      trunk_answers: {
        type: 'boolean',
        meaning: 'the trunk the call would take answers OPTIONS; absent while unknown',
      },
      account_registered: {
        type: 'boolean',
        meaning: 'the account the call would be made from is registered; absent while unknown',
      },
      caller_id_configured: { type: 'boolean', meaning: 'the site file names the caller id' },
      location_configured: { type: 'boolean', meaning: 'the site file names the location' },
      reason: { type: 'string', meaning: 'what is missing, what is not known, what is not judged' },
      ...SERVICE_CHAIN_FIELDS,
    },
  },
  event: {
    meaning: 'written by the collector: a change of a breach, for annotations on graphs',
    tags: {
      rule: 'the rule',
      state: 'firing, escalated, resolved or ended',
      from: 'network of the sender',
      to: 'network of the receiver',
      at: 'network where it was observed',
    },
    fields: {
      title: { type: 'string', meaning: 'one line' },
      text: { type: 'string', meaning: 'the whole message' },
      object: { type: 'string', meaning: 'what the breach is about' },
      severity: { type: 'string', meaning: 'notice, warning or critical' },
      duration_s: { type: 'float', unit: 's', meaning: 'how long the breach lasted' },
    },
  },
} as const satisfies Readonly<Record<string, MeasurementDefinition>>
