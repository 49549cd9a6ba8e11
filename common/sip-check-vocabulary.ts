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
} as const satisfies Readonly<Record<string, MeasurementDefinition>>
