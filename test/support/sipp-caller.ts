import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { REALM } from './kamailio.ts'

/** sipp as somebody who asks: phones, floods and scanners. */

export interface SippCaller {
  /** Between the first and the last line of a scenario. */
  readonly steps: string
  readonly port: number
  /** Whom it pretends to be: an address of 127/8. */
  readonly from: string
  readonly rate: number
  readonly calls: number
  /** Rows of fields, taken in turn. */
  readonly rows: readonly string[]
}

/** For what is still under way when the last call has begun. */
const GRACE_S = 35

/** Resolves with sipp's exit code: 0 when every call went as the scenario says. */
export async function runSipp(caller: SippCaller): Promise<number | null> {
  const { steps, port, from, rate, calls, rows } = caller
  const folder = await mkdtemp(join(tmpdir(), 'sipp-'))
  try {
    await writeFile(
      join(folder, 'steps.xml'),
      `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="steps">${steps}</scenario>\n`,
    )
    await writeFile(join(folder, 'rows.csv'), `SEQUENTIAL\n${rows.join('\n')}\n`)
    const args = [
      ...['-sf', 'steps.xml', '-inf', 'rows.csv', '-i', from, '-nostdin'],
      ...['-r', String(rate), '-m', String(calls)],
      // A flood does not send again: what is lost on the way is answered by nobody, and sipp would wait.
      ...['-timeout', `${Math.ceil(calls / rate) + GRACE_S}s`, `127.0.0.1:${port}`],
    ]
    const env = { ...process.env, TERM: 'xterm' }
    const child = spawn('sipp', args, { cwd: folder, stdio: 'ignore', env })
    return await new Promise((resolve) => child.once('close', resolve))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A request under the number in field 0. */
export function requestOf(method: string, cseq: number, rows = '', agent = 'phone/1.0'): string {
  const user = method === 'REGISTER' ? '' : '[field0]@'
  return `<send retrans="500"><![CDATA[
      ${method} sip:${user}${REALM} SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
      Max-Forwards: 70
      From: <sip:[field0]@${REALM}>;tag=[call_number]
      To: <sip:[field0]@${REALM}>
      Call-ID: [call_id]
      CSeq: ${cseq} ${method}${rows}
      User-Agent: ${agent}
      Content-Length: 0

  ]]></send>`
}

const CONTACT = '\n      Contact: <sip:[field0]@[local_ip]:[local_port]>;expires=600'

/** A phone that registers: challenged, answers, and is let in. */
export const REGISTERS = `${requestOf('REGISTER', 1, CONTACT)}
  <recv response="401" auth="true"></recv>
  ${requestOf('REGISTER', 2, `${CONTACT}\n      [field1]`)}
  <recv response="200"></recv>`

/** A row for REGISTERS. */
export function credentialsRow(user: string, password: string): string {
  return `${user};[authentication username=${user} password=${password}]`
}
