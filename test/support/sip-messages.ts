/** Writes SIP messages, so that tests say in a few lines what is on the wire. */

export interface CallOptions {
  readonly callId?: string
  readonly callerIp?: string
  readonly callerPort?: number
  readonly calleeIp?: string
  readonly calleePort?: number
  readonly fromTag?: string
  readonly toTag?: string
}

export interface MessageText {
  readonly isFromCaller: boolean
  readonly text: string
}

export interface SdpOptions {
  readonly ip?: string
  readonly port?: number
  /** Lines behind the m= line. */
  readonly lines?: readonly string[]
  readonly formats?: string
  readonly protocol?: string
}

export function sdpText(options: SdpOptions = {}): string {
  const { ip = '10.0.0.1', port = 20_000, lines = [], formats = '0 8 101' } = options
  const { protocol = 'RTP/AVP' } = options
  const version = ip.includes(':') ? 'IP6' : 'IP4'
  return [
    'v=0',
    `o=- 1 1 IN ${version} ${ip}`,
    's=-',
    `c=IN ${version} ${ip}`,
    't=0 0',
    `m=audio ${port} ${protocol} ${formats}`,
    ...lines,
    '',
  ].join('\r\n')
}

/** A message with these lines, Content-Length added. */
export function sipText(lines: readonly string[], body = '', type = 'application/sdp'): string {
  const length = Buffer.byteLength(body)
  const bodyLines = body === '' ? [] : [`Content-Type: ${type}`]
  return [...lines, ...bodyLines, `Content-Length: ${length}`, '', body].join('\r\n')
}

/** The headers every message of a call has. */
function callHeaders(method: string, options: CallOptions, cseq = 1): string[] {
  const { callId = 'call-1@10.0.0.1', fromTag = 'caller-tag', toTag = '' } = options
  const to = toTag === '' ? '' : `;tag=${toTag}`
  return [
    `Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-${callId.slice(0, 12)}-${cseq}-${method};rport`,
    `From: "Alice" <sip:+31201234567@pbx.example>;tag=${fromTag}`,
    `To: <sip:+31207654321@pbx.example>${to}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    'Contact: <sip:alice@10.0.0.1:5060>',
    'Max-Forwards: 70',
    'User-Agent: Kiestoon test phone 1.0',
    'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK',
  ]
}

export function request(method: string, options: CallOptions, sdp = '', cseq = 1): string {
  const line = `${method} sip:+31207654321@pbx.example SIP/2.0`
  return sipText([line, ...callHeaders(method, options, cseq)], sdp)
}

export function response(
  status: string,
  options: CallOptions,
  sdp = '',
  method = 'INVITE',
  cseq = 1,
): string {
  return sipText([`SIP/2.0 ${status}`, ...callHeaders(method, options, cseq)], sdp)
}

/** A call from INVITE to BYE, seven messages. */
export function callMessages(options: CallOptions = {}): MessageText[] {
  const { callerIp = '10.0.0.1', callerPort = 20_000 } = options
  const { calleeIp = '10.0.0.2', calleePort = 30_000 } = options
  const rtpmaps = ['a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000']
  const lines = [...rtpmaps, 'a=rtpmap:101 telephone-event/8000', 'a=ptime:20', 'a=sendrecv']
  const answered = { toTag: 'callee-tag', ...options }
  const offer = sdpText({ ip: callerIp, port: callerPort, lines })
  const answer = sdpText({ ip: calleeIp, port: calleePort, lines })
  return [
    { isFromCaller: true, text: request('INVITE', options, offer) },
    { isFromCaller: false, text: response('100 Trying', options) },
    { isFromCaller: false, text: response('180 Ringing', answered) },
    { isFromCaller: false, text: response('200 OK', answered, answer) },
    { isFromCaller: true, text: request('ACK', answered) },
    { isFromCaller: true, text: request('BYE', answered, '', 2) },
    { isFromCaller: false, text: response('200 OK', answered, '', 'BYE', 2) },
  ]
}
