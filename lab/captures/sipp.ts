import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { CALLEE, CALLER, end, fileIn, type Rig } from './rig.ts'

const ALAW_SILENCE = 0xd5
const SECOND_OCTETS = 8000
const START_MS = 1000

/** Calls between two sipp programs that stream G.711 A-law at each other. */
export async function sippCalls(rig: Rig, calls: number, talkMs: number): Promise<void> {
  await writeFile(fileIn(rig, 'silence.alaw'), Buffer.alloc(SECOND_OCTETS, ALAW_SILENCE))
  await writeFile(fileIn(rig, 'uas.xml'), UAS)
  await writeFile(fileIn(rig, 'uac.xml'), uac(talkMs))
  const common = ['-nostdin', '-trace_err', '-m', String(calls)]
  const callee = rig.run('callee', [
    'sipp',
    ...['-sf', 'uas.xml', '-i', CALLEE, '-mi', CALLEE, '-p', '5060'],
    ...common,
  ])
  // It says nothing when it listens.
  await delay(START_MS)
  const caller = rig.run('caller', [
    'sipp',
    CALLEE,
    ...['-sf', 'uac.xml', '-i', CALLER, '-mi', CALLER, '-p', '5060', '-r', '5'],
    ...common,
  ])
  await new Promise((resolve) => caller.once('exit', resolve))
  await end(callee)
}

const RESPONSE = `
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port];transport=[transport]>`

const SDP = `
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=lab 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [rtpstream_audio_port] RTP/AVP 8 101
      a=rtpmap:8 PCMA/8000
      a=rtpmap:101 telephone-event/8000
      a=ptime:20
`

const UAS = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="answer">
  <recv request="INVITE" crlf="true"></recv>
  <send><![CDATA[
      SIP/2.0 180 Ringing${RESPONSE}
      Content-Length: 0

  ]]></send>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK${RESPONSE}${SDP}
  ]]></send>
  <recv request="ACK" rtd="true" crlf="true"></recv>
  <nop><action><exec rtp_stream="silence.alaw,-1,8"/></action></nop>
  <recv request="BYE"></recv>
  <nop><action><exec rtp_stream="pause"/></action></nop>
  <send><![CDATA[
      SIP/2.0 200 OK${RESPONSE}
      Content-Length: 0

  ]]></send>
</scenario>
`

function uac(talkMs: number): string {
  const request = (method: string, sequence: number, to: string, body: string) => `
      ${method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:0201234567@[local_ip]>;tag=[pid]-[call_number]
      ${to}
      Call-ID: [call_id]
      CSeq: ${sequence} ${method === 'ACK' ? 'ACK' : method}
      Contact: <sip:lab@[local_ip]:[local_port];transport=[transport]>
      Max-Forwards: 70${body}`
  const none = '\n      Content-Length: 0\n'
  const to = '[last_To:]'
  return `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="call">
  <send retrans="500"><![CDATA[${request('INVITE', 1, 'To: <sip:[service]@[remote_ip]>', SDP)}
  ]]></send>
  <recv response="100" optional="true"></recv>
  <recv response="180" optional="true"></recv>
  <recv response="200" rtd="true"></recv>
  <send><![CDATA[${request('ACK', 1, to, none)}
  ]]></send>
  <nop><action><exec rtp_stream="silence.alaw,-1,8"/></action></nop>
  <pause milliseconds="${talkMs}"/>
  <nop><action><exec rtp_stream="pause"/></action></nop>
  <send retrans="500"><![CDATA[${request('BYE', 2, to, none)}
  ]]></send>
  <recv response="200"></recv>
</scenario>
`
}
