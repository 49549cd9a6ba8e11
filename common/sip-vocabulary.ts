import type { MeasurementDefinition } from './measurement.ts'

/**
 * What an agent makes of the SIP it sees pass on a tap: part of the vocabulary, in a file of its own. Counts of an interval can be added
 * up, over intervals, targets and agents; a count that is absent is 0 when the point is there.
 */

const INTERVAL_MS = {
  type: 'float',
  unit: 'ms',
  meaning: 'length of the interval the point covers; it ends at the timestamp',
} as const

const TAP = {
  type: 'string',
  meaning: 'interface the tap listens on, or the mirror; absent for a file',
} as const

const WATCHED_S = {
  type: 'float',
  unit: 's',
  meaning:
    'how long this tap has watched without a break: what is first seen soon after it began may be old',
} as const

const CLEAR_TEXT = {
  type: 'integer',
  meaning: 'messages anybody on the way could read, without TLS; those within one machine left out',
} as const

const REQUEST = { type: 'integer', unit: 'messages' } as const
const RESPONSE = { type: 'integer', unit: 'messages' } as const
const SESSION = { type: 'integer' } as const
const DELAY = { type: 'float', unit: 'ms' } as const

const REQUESTS_BY_METHOD = {
  requests_invite: { ...REQUEST, meaning: 'INVITE, in dialogs too' },
  requests_ack: { ...REQUEST, meaning: 'ACK' },
  requests_bye: { ...REQUEST, meaning: 'BYE' },
  requests_cancel: { ...REQUEST, meaning: 'CANCEL' },
  requests_options: { ...REQUEST, meaning: 'OPTIONS' },
  requests_register: { ...REQUEST, meaning: 'REGISTER' },
  requests_prack: { ...REQUEST, meaning: 'PRACK' },
  requests_update: { ...REQUEST, meaning: 'UPDATE' },
  requests_info: { ...REQUEST, meaning: 'INFO' },
  requests_message: { ...REQUEST, meaning: 'MESSAGE' },
  requests_notify: { ...REQUEST, meaning: 'NOTIFY' },
  requests_publish: { ...REQUEST, meaning: 'PUBLISH' },
  requests_refer: { ...REQUEST, meaning: 'REFER' },
  requests_subscribe: { ...REQUEST, meaning: 'SUBSCRIBE' },
  requests_other: { ...REQUEST, meaning: 'of methods we do not know' },
} as const

const RESPONSES = {
  responses_1xx: { ...RESPONSE, meaning: 'provisional' },
  responses_2xx: { ...RESPONSE, meaning: 'success' },
  responses_3xx: { ...RESPONSE, meaning: 'redirection' },
  responses_4xx: { ...RESPONSE, meaning: 'client failure, challenges included' },
  responses_5xx: { ...RESPONSE, meaning: 'server failure' },
  responses_6xx: { ...RESPONSE, meaning: 'global failure' },
  responses_401: { ...RESPONSE, meaning: '401 and 407: challenges, no failures' },
  responses_403: { ...RESPONSE, meaning: '403 Forbidden' },
  responses_404: { ...RESPONSE, meaning: '404, 410, 484, 485 and 604: no such number' },
  responses_408: { ...RESPONSE, meaning: '408 and 504: the next hop does not answer' },
  responses_481: { ...RESPONSE, meaning: '481: the other end knows nothing of the call' },
  responses_482: { ...RESPONSE, meaning: '482 and 483: a loop' },
  responses_488: { ...RESPONSE, meaning: '415, 488 and 606: no media in common' },
  responses_500: { ...RESPONSE, meaning: '500, 502 and 580' },
  responses_503: { ...RESPONSE, meaning: '503: overloaded, or all circuits busy' },
} as const

const CALLS_BY_DESTINATION = {
  calls_emergency: { type: 'integer', meaning: 'of these, to emergency services' },
  calls_premium: { type: 'integer', meaning: 'of these, to premium-rate numbers' },
  calls_international: { type: 'integer', meaning: 'of these, to other countries' },
  calls_national: { type: 'integer', meaning: 'of these, to numbers of the own country' },
  calls_short: { type: 'integer', meaning: 'of these, to extensions and short numbers' },
  calls_other: { type: 'integer', meaning: 'of these, to names and whatever else' },
} as const

export const SIP_VOCABULARY = {
  sip_traffic: {
    meaning:
      'SIP seen on a tap over one interval, per peer and direction. Every attempt counts in the interval in which it is decided',
    tags: {
      target:
        'the peer: a registrar, trunk or server by its configured name, else by its address; "other" for all beyond the limit',
      direction: 'to: the peer is asked; from: the peer asks',
    },
    fields: {
      interval_ms: INTERVAL_MS,
      tap: TAP,
      messages: {
        type: 'integer',
        unit: 'messages',
        meaning: 'requests and responses of this direction',
      },
      tcp: { type: 'integer', unit: 'messages', meaning: 'of these, over TCP' },
      clear_text: CLEAR_TEXT,
      clear_credentials: {
        ...REQUEST,
        meaning: 'of these, requests with a digest a listener could guess the password from',
      },
      duplicated: {
        type: 'integer',
        unit: 'messages',
        meaning: 'copies within 5 ms: the tap sees the same message twice. Counted nowhere else',
      },
      server: {
        type: 'string',
        meaning: 'User-Agent or Server of the peer, as it last said',
      },
      requests: { ...REQUEST, meaning: 'requests, retransmissions included' },
      ...REQUESTS_BY_METHOD,
      ...RESPONSES,
      retransmitted_requests: {
        ...REQUEST,
        meaning: 'requests that came again: same branch and CSeq. 0 on a path without loss',
        source: 'RFC 3261 17.1',
      },
      retransmitted_responses: {
        ...RESPONSE,
        meaning: 'final responses that came again',
        source: 'RFC 3261 17.2',
      },
      unanswered: {
        ...REQUEST,
        meaning: 'requests without a final response for 32 s, ACK and INVITE left out',
        source: 'RFC 3261 timer F',
      },
      congestion: {
        type: 'integer',
        unit: 'messages',
        meaning: 'messages with Reason Q.850 34, 38, 41 or 42: no circuit, or network out of order',
        source: 'RFC 3326',
      },
      evicted: {
        type: 'integer',
        meaning: 'transactions and sessions given up because there were too many',
      },
      registration_attempts: {
        type: 'integer',
        meaning:
          'attempts to register that were decided: ok + failed + abandoned. Challenge and second try are one attempt',
        source: 'RFC 6076 4.2',
      },
      registration_ok: { type: 'integer', meaning: 'attempts answered with 2xx' },
      registration_failed: {
        type: 'integer',
        meaning:
          'numerator of IRA: final 4xx but 401, 402 and 407, 5xx, 6xx, or no answer for 32 s',
        source: 'RFC 6076 4.2',
      },
      registration_timeouts: { type: 'integer', meaning: 'of the failed, those without an answer' },
      registration_too_brief: {
        type: 'integer',
        meaning:
          '423s: the attempt goes on with a longer time, and counts as failed only when that fails',
        source: 'RFC 3261 10.3',
      },
      registration_abandoned: {
        type: 'integer',
        meaning: 'challenged, or redirected, and not tried again',
      },
      registration_delay_count: {
        type: 'integer',
        meaning: 'attempts the registration delays are of',
      },
      registration_delay_sum_ms: { ...DELAY, meaning: 'sum of RRD', source: 'RFC 6076 4.1' },
      registration_delay_p50_ms: {
        ...DELAY,
        meaning: 'RRD, first REGISTER to 200, challenge included: median',
        source: 'RFC 6076 4.1',
      },
      registration_delay_p95_ms: {
        ...DELAY,
        meaning: 'RRD, 95th percentile',
        source: 'RFC 6076 4.1',
      },
      session_attempts: {
        ...SESSION,
        meaning:
          'INVITEs that begin a dialog, decided: established + redirected + declined + cancelled + failed + abandoned',
        source: 'RFC 6076 4.6',
      },
      session_established: {
        ...SESSION,
        meaning: 'numerator of SER: answered with 2xx. SER = established / (attempts - redirected)',
        source: 'RFC 6076 4.6',
      },
      session_redirected: { ...SESSION, meaning: 'answered with 3xx', source: 'RFC 6076 4.6' },
      session_declined: {
        ...SESSION,
        meaning:
          '480, 486, 600 and 603: the callee has no time. SEER = (established + declined) / (attempts - redirected)',
        source: 'RFC 6076 4.7',
      },
      session_cancelled: { ...SESSION, meaning: '487: the caller gave up' },
      session_failed: { ...SESSION, meaning: 'any other final response, and timeouts' },
      session_ineffective: {
        ...SESSION,
        meaning:
          'numerator of ISA, among the failed: 408, 500, 503, 504, and timeouts, which stand for 408. ISA = ineffective / attempts',
        source: 'RFC 6076 4.8, RFC 3261 8.1.3.1',
      },
      session_timeouts: {
        ...SESSION,
        meaning: 'of these, INVITEs without any response for 32 s',
        source: 'RFC 3261 timer B',
      },
      session_abandoned: {
        ...SESSION,
        meaning: 'challenged and not tried again, or no final response for 5 min',
      },
      session_completed: {
        ...SESSION,
        meaning:
          'numerator of SCR: established, and ended by a BYE answered with 2xx. SCR = completed / attempts',
        source: 'RFC 6076 4.9',
      },
      session_lost: {
        ...SESSION,
        meaning: 'established, and ended otherwise: BYE not answered or refused, or silence',
      },
      session_delay_count: { ...SESSION, meaning: 'sessions established the delays are of' },
      session_delay_sum_ms: { ...DELAY, meaning: 'sum of SRD', source: 'RFC 6076 4.3.1' },
      session_delay_p50_ms: {
        ...DELAY,
        meaning:
          'SRD of sessions established, first INVITE to the first response but 100 and challenges: median',
        source: 'RFC 6076 4.3.1',
      },
      session_delay_p95_ms: {
        ...DELAY,
        meaning: 'SRD of sessions established, 95th percentile',
        source: 'RFC 6076 4.3.1',
      },
      session_failed_delay_count: { ...SESSION, meaning: 'sessions refused the delays are of' },
      session_failed_delay_sum_ms: {
        ...DELAY,
        meaning: 'sum of SRD of sessions refused: declined, cancelled or failed, timeouts left out',
        source: 'RFC 6076 4.3.2',
      },
      session_failed_delay_p50_ms: {
        ...DELAY,
        meaning: 'SRD of sessions refused: median',
        source: 'RFC 6076 4.3.2',
      },
      session_failed_delay_p95_ms: {
        ...DELAY,
        meaning: 'SRD of sessions refused, 95th percentile',
        source: 'RFC 6076 4.3.2',
      },
      session_duration_sum_s: {
        type: 'float',
        unit: 's',
        meaning: 'sum of SDT over the sessions completed: 200 to BYE',
        source: 'RFC 6076 4.5.1',
      },
      disconnects: {
        ...SESSION,
        meaning: 'BYEs answered with 2xx: those the delays are of',
      },
      disconnect_timeouts: { ...SESSION, meaning: 'BYEs without an answer for 32 s' },
      disconnect_delay_sum_ms: { ...DELAY, meaning: 'sum of SDD', source: 'RFC 6076 4.4' },
      disconnect_delay_p50_ms: {
        ...DELAY,
        meaning: 'SDD, BYE to 2xx: median',
        source: 'RFC 6076 4.4',
      },
      disconnect_delay_p95_ms: {
        ...DELAY,
        meaning: 'SDD, 95th percentile',
        source: 'RFC 6076 4.4',
      },
      sessions_up: { ...SESSION, meaning: 'established sessions at the end of the interval' },
      sessions_setting_up: {
        ...SESSION,
        meaning: 'sessions at the end of the interval that are neither established nor decided',
      },
      nat_checked: {
        ...REQUEST,
        meaning:
          'requests straight from their sender (one Via) that name an address in Via and Contact',
      },
      nat_damage: {
        ...REQUEST,
        meaning:
          'of these, requests whose Via or Contact names another address than they came from',
        source: 'RFC 3581',
      },
      nat_mixed: {
        ...REQUEST,
        meaning:
          'of these, requests whose Via and Contact disagree: a router on the way rewrites SIP (ALG)',
      },
      spoofed: {
        ...REQUEST,
        meaning:
          'INVITEs from outside the own networks that say they are from an own number or an account registered elsewhere',
      },
      identity_mismatch: {
        ...REQUEST,
        meaning: 'INVITEs whose From and P-Asserted-Identity name different users',
        source: 'RFC 3325',
      },
      verstat_failed: {
        ...REQUEST,
        meaning: 'INVITEs whose caller was verified and found wrong (verstat=TN-Validation-Failed)',
        source: 'RFC 8224, ATIS-1000074',
      },
    },
  },
  sip_bindings: {
    meaning: 'registrations seen on a tap, per registrar, over one interval',
    tags: { target: 'the registrar, as in sip_traffic' },
    fields: {
      interval_ms: INTERVAL_MS,
      tap: TAP,
      watched_s: WATCHED_S,
      complete: {
        type: 'boolean',
        meaning:
          'the tap has watched for as long as the longest registration seen lasts: every one was due to be seen',
      },
      active: { type: 'integer', meaning: 'bindings at the end of the interval' },
      accounts: { type: 'integer', meaning: 'accounts with at least one binding' },
      overdue: {
        type: 'integer',
        meaning: 'of the active, those past 90 % of their time without refresh: about to lapse',
      },
      next_lapse_s: {
        type: 'float',
        unit: 's',
        meaning: 'until the first of the overdue lapses',
      },
      expired: {
        type: 'integer',
        meaning: 'bindings that lapsed in the interval without refresh',
      },
      removed: {
        type: 'integer',
        meaning: 'bindings taken away in the interval, by the phone or by the registrar',
      },
      added: { type: 'integer', meaning: 'bindings first seen in the interval' },
      refreshed: { type: 'integer', meaning: 'bindings renewed in the interval' },
      refreshed_early: {
        type: 'integer',
        meaning: 'of these, those with more than three quarters of their time left',
      },
      refreshed_late: {
        type: 'integer',
        meaning: 'of these, those with less than a tenth of their time left',
      },
      failed: {
        type: 'integer',
        meaning: 'attempts to register that failed in the interval, as in sip_traffic',
      },
      expires_min_s: {
        type: 'float',
        unit: 's',
        meaning: 'shortest time granted in the interval',
      },
      expires_max_s: { type: 'float', unit: 's', meaning: 'longest time granted in the interval' },
      evicted: {
        type: 'integer',
        meaning: 'bindings given up in the interval because there were too many',
      },
    },
  },
  sip_source: {
    meaning:
      'an address that sends SIP requests, over one interval: at most 50, those most worth a look. A quiet phone is none of them',
    tags: {},
    fields: {
      interval_ms: INTERVAL_MS,
      tap: TAP,
      watched_s: WATCHED_S,
      src_ip: { type: 'string', meaning: 'address; of IPv6 the network, as prefix/64' },
      outside: {
        type: 'boolean',
        meaning: 'not in the own networks, or where none are configured, not in a private one',
      },
      known_s: { type: 'float', unit: 's', meaning: 'time since its first request' },
      registered: {
        type: 'boolean',
        meaning:
          'within the last day a REGISTER of it was accepted; or a call of it was answered, and it is inside or a peer shown in sip_traffic',
      },
      user_agent: { type: 'string', meaning: 'User-Agent, as it last said' },
      scanner: {
        type: 'string',
        meaning: 'the known scanner the User-Agent, or a tag or name in the request, gives away',
      },
      clear_text: CLEAR_TEXT,
      tcp: { ...REQUEST, meaning: 'requests over TCP' },
      requests: { ...REQUEST, meaning: 'requests, retransmissions included' },
      requests_register: { ...REQUEST, meaning: 'REGISTER' },
      requests_invite: { ...REQUEST, meaning: 'INVITE that begins a call' },
      requests_options: { ...REQUEST, meaning: 'OPTIONS' },
      requests_other: { ...REQUEST, meaning: 'of other methods' },
      peak_per_s: { ...REQUEST, meaning: 'most requests within one second of the clock' },
      targets: { type: 'integer', meaning: 'distinct addresses asked (to 16)' },
      accounts: {
        type: 'integer',
        meaning:
          'distinct accounts or numbers tried: users of To in REGISTER, of the Request-URI in others. Exact to 64, then within 7 %',
      },
      accounts_recent: {
        type: 'integer',
        meaning: 'the same over the last 30 to 60 minutes: a slow scan shows here',
      },
      responses_2xx: { ...RESPONSE, meaning: 'requests answered with success' },
      responses_401: { ...RESPONSE, meaning: 'requests answered with a challenge, 401 or 407' },
      responses_403: { ...RESPONSE, meaning: 'requests answered with 403' },
      responses_404: { ...RESPONSE, meaning: 'requests answered with 404, 410, 484, 485 or 604' },
      unanswered: {
        ...REQUEST,
        meaning: 'requests without a final response for 32 s (INVITE: without any)',
      },
      wrong_credentials: {
        ...REQUEST,
        meaning: 'requests with credentials that were refused: 403, or challenged again, not stale',
        source: 'RFC 7616 3.3',
      },
      spoofed: { ...REQUEST, meaning: 'as in sip_traffic' },
      malformed: {
        ...REQUEST,
        meaning: 'requests from outside that break the grammar, though they can be read',
        source: 'RFC 3261 25.1',
      },
    },
  },
  sip_account: {
    meaning:
      'an account that called, was called in the name of, or whose registration changed, over one interval: at most 50, those most worth a look',
    tags: {},
    fields: {
      interval_ms: INTERVAL_MS,
      tap: TAP,
      watched_s: WATCHED_S,
      account: {
        type: 'string',
        meaning: 'user@host, all of the user masked but the last two characters',
      },
      key: {
        type: 'string',
        meaning:
          '16 hex digits that stay the same for the account: HMAC-SHA256 with a key that does not leave the agent',
      },
      src_ip: { type: 'string', meaning: 'where it last registered or called from' },
      user_agent: { type: 'string', meaning: 'User-Agent, as it last said' },
      first_seen: { type: 'boolean', meaning: 'it was first seen in this interval' },
      known_s: { type: 'float', unit: 's', meaning: 'time since it was first seen' },
      new_network: {
        type: 'boolean',
        meaning:
          'it registered or called from a network (/24, /64) it was not known from, and was let in',
      },
      new_user_agent: {
        type: 'boolean',
        meaning: 'its User-Agent is another than before: a new device, or new firmware',
      },
      registration: {
        type: 'string',
        meaning:
          'what became of its registration in the interval: registered (first), removed, expired, refused; absent when nothing new',
      },
      registration_overdue: {
        type: 'boolean',
        meaning: 'a binding of it is past 90 % of its time without refresh',
      },
      status_code: { type: 'integer', meaning: 'of the response that refused it' },
      bindings: { type: 'integer', meaning: 'its bindings at the end of the interval' },
      wrong_credentials: {
        ...REQUEST,
        meaning: 'requests with credentials in its name that were refused',
      },
      guessing_sources: {
        type: 'integer',
        meaning: 'distinct addresses these came from (to 16)',
      },
      calls: { type: 'integer', meaning: 'calls it began' },
      ...CALLS_BY_DESTINATION,
      destinations: { type: 'integer', meaning: 'distinct numbers called (to 64)' },
      answered: { type: 'integer', meaning: 'calls of it that were answered in the interval' },
      brief: {
        type: 'integer',
        meaning: 'calls of it that ended in the interval within 10 s of their answer',
      },
      talked_s: {
        type: 'float',
        unit: 's',
        meaning: 'sum of the lengths of the calls of it that ended in the interval',
      },
      up: { type: 'integer', meaning: 'answered calls of it at the end of the interval' },
      up_max: { type: 'integer', meaning: 'most answered calls of it at once, in the interval' },
      up_costly: {
        type: 'integer',
        meaning: 'of `up`, those to premium-rate numbers and other countries',
      },
      trunk: {
        type: 'string',
        meaning: 'peer its newest call to a premium-rate number or another country was sent to',
      },
      forwards: {
        type: 'integer',
        meaning: 'calls it passed on: redirected (3xx), or diverted (Diversion)',
        source: 'RFC 5806',
      },
      forwards_premium: { type: 'integer', meaning: 'of these, to premium-rate numbers' },
      forwards_international: { type: 'integer', meaning: 'of these, to other countries' },
    },
  },
  sip_event: {
    meaning: 'sent at once: something seen on the tap that cannot wait for the interval',
    tags: { kind: 'emergency-call' },
    fields: {
      tap: TAP,
      state: {
        type: 'string',
        meaning: 'calling, answered, failed or ended; a call seen on two hops shows twice',
      },
      number: { type: 'string', meaning: 'the emergency number dialled, such as 112' },
      caller: { type: 'string', meaning: 'who calls, masked' },
      key: { type: 'string', meaning: 'of the calling account, as in sip_account' },
      src_ip: { type: 'string', meaning: 'where the call comes from' },
      dst_ip: { type: 'string', meaning: 'where it was sent' },
      call_id: { type: 'string', meaning: 'Call-ID: tells calls apart, and finds their media' },
      status_code: { type: 'integer', meaning: 'final response, once there is one' },
    },
  },
} as const satisfies Readonly<Record<string, MeasurementDefinition>>

/** What the point of an agent says of the SIP it saw. */
export const SIP_AGENT_FIELDS = {
  sip_messages: { type: 'integer', unit: 'messages', meaning: 'SIP seen on the tap' },
  sip_invalid: {
    type: 'integer',
    unit: 'messages',
    meaning: 'what looked like SIP and was none, or left out what it must not',
  },
  sip_evicted: {
    type: 'integer',
    meaning:
      'transactions, sessions, bindings, sources and accounts given up because there were too many: a flood',
  },
  sip_sources: { type: 'integer', meaning: 'addresses that sent requests in the interval' },
  sip_accounts_untold: {
    type: 'integer',
    meaning: 'accounts and sources that had something to tell but were beyond the limit of points',
  },
} as const
