import type { MeasurementDefinition } from './measurement.ts'

/** What an agent learns by asking SIP servers itself: part of the vocabulary, in a file of its own. */

const CHECK = {
  interval_ms: {
    type: 'float',
    unit: 'ms',
    meaning: 'length of the interval the point covers; it ends at the timestamp',
  },
  status_code: {
    type: 'integer',
    meaning: 'of the final response; absent when none came',
    source: 'RFC 3261 21',
  },
  failures_in_row: {
    type: 'integer',
    meaning: 'checks in a row that failed, this one included; 0 when all is well',
  },
  retransmissions: {
    type: 'integer',
    unit: 'packets',
    meaning: 'requests sent again over UDP: 0 on a path without loss',
    source: 'RFC 3261 17.1.2',
  },
  transport: { type: 'string', meaning: 'udp, tcp or tls' },
  user_agent: { type: 'string', meaning: 'Server or User-Agent of the response: name and version' },
  mapped_address: {
    type: 'string',
    meaning:
      'address the server saw the request come from, where it says; behind a NAT not our own',
    source: 'RFC 3581',
  },
  connect_ms: {
    type: 'float',
    unit: 'ms',
    meaning: 'time the TCP or TLS connection took, where one had to be made',
  },
  certificate_days: {
    type: 'float',
    unit: 'days',
    meaning:
      "until the server's certificate expires, negative when it has; there too when it was refused",
  },
  timeout: { type: 'boolean', meaning: 'nobody answered, and had the time to' },
  timeout_ms: {
    type: 'float',
    unit: 'ms',
    meaning: 'how long an answer is waited for; after a timeout, how long one was',
    source: 'RFC 3261 timer F',
  },
  reason: {
    type: 'string',
    meaning: 'what went wrong, the last of it first; there too when another server stood in',
  },
} as const

export const SIP_CHECK_VOCABULARY = {
  sip_registration: {
    meaning: 'one account, checked by REGISTER: without a contact, which changes nothing',
    tags: { target: 'name of the account in the configuration; never its number' },
    fields: {
      ...CHECK,
      aor: {
        type: 'string',
        meaning: 'address of record, all of the user masked but the last two characters',
      },
      dedicated: {
        type: 'boolean',
        meaning: 'the account is ours alone: a contact of our own was added, and taken back',
      },
      accepted: {
        type: 'boolean',
        meaning:
          'the registrar took the REGISTER: name and password are right. False too when it did not answer; absent when not checked',
      },
      registered: {
        type: 'boolean',
        meaning:
          'the registrar lists a binding, of a dedicated account our own; absent when it did not say',
      },
      registration_request_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning:
          'RRD: first REGISTER to 200, challenge included, at the server that answered. Only where accepted',
        source: 'RFC 6076 4.1',
      },
      expires_s: {
        type: 'integer',
        unit: 's',
        meaning: 'granted to our own contact; only of dedicated accounts',
      },
      margin_s: {
        type: 'float',
        unit: 's',
        meaning: 'until the last of the bindings lapses, unless it is refreshed',
      },
      contacts: { type: 'integer', meaning: 'bindings listed, our own among them' },
      contact_hosts: {
        type: 'string',
        meaning: 'where these are, without user and port; at most 8',
      },
      challenges: { type: 'integer', meaning: '401 and 407 received', source: 'RFC 7616' },
      stale: {
        type: 'integer',
        meaning: 'of these, those that say only the nonce was too old',
        source: 'RFC 7616 3.3',
      },
      algorithm: {
        type: 'string',
        meaning: 'with which the challenge was answered, such as MD5 or SHA-256',
        source: 'RFC 8760',
      },
      redirects: { type: 'integer', meaning: 'redirects followed', source: 'RFC 3261 8.1.3.4' },
      failovers: {
        type: 'integer',
        meaning: 'servers tried in vain before this one',
        source: 'RFC 3263 4.3',
      },
      server: { type: 'string', meaning: 'address and port of the last server asked' },
      paused: {
        type: 'boolean',
        meaning:
          'not checked: after a refusal, so as not to lock the account out, or because the registrar asked for it (Retry-After)',
      },
      pause_left_s: { type: 'float', unit: 's', meaning: 'until it is checked again' },
    },
  },
  sip_options: {
    meaning: 'one server of a SIP peer, checked by OPTIONS',
    tags: {
      target: 'name of the peer in the configuration',
      server:
        'the server as DNS or the configuration names it, with the port where that is unusual; absent when none is known',
    },
    fields: {
      ...CHECK,
      alive: {
        type: 'boolean',
        meaning:
          'a final response came, other than 408 (next hop silent) and 503 (takes no calls); absent when there was no time to find out',
        source: 'RFC 3261 11',
      },
      round_trip_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'request to final response; absent for 408, which is a timeout of somebody else',
      },
      server_address: { type: 'string', meaning: 'address and port asked last' },
    },
  },
  sip_call: {
    meaning:
      'one test call. received: far end to us, by its own numbers; reported: us to the far end, as it says in RTCP; round_trip: there and back, by our own packets from an echo. A direction nobody measured is absent',
    tags: { target: 'name of the number called in the configuration; never the number' },
    fields: {
      ...CHECK,
      outcome: {
        type: 'string',
        meaning:
          'answered; busy, no-answer (rang to the end), unavailable (480), rejected (403, 603), unauthorized, not-found, incompatible (488), overloaded (503), redirected, failed (other), timeout, unreachable; refused: it may have reached an emergency number, and was not called; interrupted: not known',
      },
      answered: { type: 'boolean', meaning: 'the call came up; absent when interrupted' },
      session_request_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning:
          'SRD of an answered call: first INVITE to the first provisional response but 100, or the answer; redirects and challenges included, servers that failed not',
        source: 'RFC 6076 4.3.1',
      },
      failed_session_request_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'the same, or to the refusal, of a call that was not answered; never of a timeout',
        source: 'RFC 6076 4.3.2',
      },
      answer_delay_ms: { type: 'float', unit: 'ms', meaning: 'first INVITE to the 200' },
      session_disconnect_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'SDD: our BYE to its 200; absent when the far end hung up, or did not answer',
        source: 'RFC 6076 4.4',
      },
      disconnect_timeout: { type: 'boolean', meaning: 'our BYE was not answered in time' },
      talk_ms: { type: 'float', unit: 'ms', meaning: 'answer to hang-up', source: 'RFC 6076 4.5' },
      ended_by: { type: 'string', meaning: 'us or far-end: who hung up' },
      ringing: { type: 'boolean', meaning: 'a 180 came' },
      early_media: {
        type: 'boolean',
        meaning: 'a provisional response described sound: ringing tone or an announcement',
      },
      early_packets: {
        type: 'integer',
        unit: 'packets',
        meaning: 'RTP packets that came before the answer; absent when none did',
      },
      challenges: { type: 'integer', meaning: '401 and 407 received', source: 'RFC 7616' },
      stale: {
        type: 'integer',
        meaning: 'of these, those that say only the nonce was too old',
        source: 'RFC 7616 3.3',
      },
      redirects: { type: 'integer', meaning: 'redirects followed', source: 'RFC 3261 8.1.3.4' },
      failovers: {
        type: 'integer',
        meaning: 'servers tried in vain before this one',
        source: 'RFC 3263 4.3',
      },
      server: { type: 'string', meaning: 'address and port of the last server asked' },
      paused: {
        type: 'boolean',
        meaning:
          'not called: after our password was refused, or because the server asked for it (Retry-After)',
      },
      pause_left_s: { type: 'float', unit: 's', meaning: 'until it is called again' },
      codec: { type: 'string', meaning: 'in which we send' },
      media_address: { type: 'string', meaning: 'where our packets went' },
      sent_packets: { type: 'integer', unit: 'packets', meaning: 'RTP packets that left us' },
      heard: {
        type: 'boolean',
        meaning: 'sound came from the far end since the answer; absent when it put us on hold',
      },
      heard_by_peer: {
        type: 'boolean',
        meaning:
          'our sound arrived: its RTCP names our stream, or our packets came back. False when it reported twice and never of us; absent when it did not report',
        source: 'RFC 3550 6.4',
      },
      one_way_audio: {
        type: 'boolean',
        meaning: 'one hears, the other does not; absent when only our own side is known',
      },
      no_audio: {
        type: 'boolean',
        meaning:
          'nothing came from the far end, and nothing says that it hears us; absent when it put us on hold',
      },
      echoed: { type: 'boolean', meaning: 'our own packets came back, as from an echo' },
      received_expected: {
        type: 'integer',
        unit: 'packets',
        meaning: 'sent by the far end since the answer, by its own numbers',
        source: 'RFC 3550 A.3',
      },
      received_packets: {
        type: 'integer',
        unit: 'packets',
        meaning: 'of these, duplicates included',
      },
      received_lost: {
        type: 'integer',
        unit: 'packets',
        meaning: 'lost between the far end and us: expected less distinct ones received',
      },
      received_loss_ratio: { type: 'float', unit: 'ratio', meaning: 'received_lost / expected' },
      received_duplicates: { type: 'integer', unit: 'packets', meaning: 'that came again' },
      received_reordered: { type: 'integer', unit: 'packets', meaning: 'that came out of order' },
      received_discard_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'too late for an adaptive jitter buffer, of expected',
      },
      received_burst_density_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'lost or discarded within bursts',
        source: 'RFC 3611 4.7.2',
      },
      received_jitter_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'mean interarrival jitter, far end to us',
        source: 'RFC 3550 A.8',
      },
      received_jitter_max_ms: { type: 'float', unit: 'ms', meaning: 'the highest it was' },
      received_delta_max_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'longest time between two arrivals',
      },
      received_r_factor: {
        type: 'float',
        meaning: 'E-model, without delay, of what we hear',
        source: 'ITU-T G.107',
      },
      received_mos_lq: {
        type: 'float',
        unit: 'MOS',
        meaning: 'listening quality of what we hear',
        source: 'ITU-T G.107',
      },
      received_sources: {
        type: 'integer',
        meaning: 'senders (SSRC) heard since the answer; counts are their sums',
      },
      reported_expected: {
        type: 'integer',
        unit: 'packets',
        meaning: 'our packets up to the last report of the far end',
        source: 'RFC 3550 6.4.1',
      },
      reported_lost: {
        type: 'integer',
        unit: 'packets',
        meaning: 'of these, lost between us and the far end, as it says: less duplicates',
        source: 'RFC 3550 6.4.1',
      },
      reported_loss_ratio: { type: 'float', unit: 'ratio', meaning: 'reported_lost / expected' },
      reported_jitter_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'jitter, us to the far end, in its last report',
        source: 'RFC 3550 6.4.1',
      },
      reported_r_factor: {
        type: 'float',
        meaning: 'E-model of what the far end hears: by loss alone, as it says no more',
        source: 'ITU-T G.107',
      },
      reported_mos_lq: {
        type: 'float',
        unit: 'MOS',
        meaning: 'listening quality of what the far end hears: by loss alone',
        source: 'ITU-T G.107',
      },
      round_trip_expected: {
        type: 'integer',
        unit: 'packets',
        meaning: 'our packets since the first that came back from an echo',
      },
      round_trip_lost: {
        type: 'integer',
        unit: 'packets',
        meaning: 'of these, did not come back: lost there or on the way back',
      },
      round_trip_loss_ratio: {
        type: 'float',
        unit: 'ratio',
        meaning: 'round_trip_lost / expected',
      },
      round_trip_duplicates: { type: 'integer', unit: 'packets', meaning: 'that came back again' },
      round_trip_reordered: {
        type: 'integer',
        unit: 'packets',
        meaning: 'that came back out of order',
      },
      round_trip_jitter_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'mean jitter, there and back',
        source: 'RFC 3550 A.8',
      },
      round_trip_max_ms: { type: 'float', unit: 'ms', meaning: 'longest way there and back' },
      media_round_trip_ms: {
        type: 'float',
        unit: 'ms',
        meaning: "there and back: by RTCP without the far end's own time, or median of an echo",
        source: 'RFC 3550 6.4.1',
      },
      peer_reports: { type: 'integer', meaning: 'RTCP reports of the far end, whatever they said' },
      stray_packets: {
        type: 'integer',
        unit: 'packets',
        meaning: 'RTP packets from elsewhere, not counted',
      },
      loop_delay_ms: {
        type: 'float',
        unit: 'ms',
        meaning: 'longest our own thread was late: jitter up to that may be our own',
      },
    },
  },
} as const satisfies Readonly<Record<string, MeasurementDefinition>>
