import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readProbeOptions } from '../../agent/config.ts'
import { sipRegister } from '../../agent/probes/sip-register.ts'
import { percentile } from '../../agent/rtp/percentile.ts'
import { createLogger } from '../../common/log.ts'
import { REALM, startKamailio } from '../support/kamailio.ts'

const ACCOUNTS = 1000
const INTERVAL_MS = 60_000
/** Of the interval, in which the probe begins its checks: sipp takes as long. */
const SPREAD_MS = 20_000
const WARM_UP_MS = 3000
const CAPTURE_START_MS = 500
const SHARES = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const
const US_PER_MS = 1000
const TARGET_CPU_RATIO = 0.15

/** A thousand accounts checked in a minute against kamailio, while sipp does the same beside it: processor time, and both views of the delay. */
export async function bench(): Promise<void> {
  const users = Array.from({ length: ACCOUNTS }, (_, index) => `4930${100_000 + index}`)
  const kamailio = await startKamailio({
    accounts: Object.fromEntries(users.map((user) => [user, `secret-${user}`])),
    children: 2,
  })
  if (kamailio === undefined) {
    console.log('kamailio is missing: apt-get install kamailio')
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-bench-'))
  try {
    const probe = await openProbe(kamailio.port, users)
    const end = new AbortController()
    // One round to warm up, as an agent that has run for a while.
    await probe.measure({ endUs: 1, durationMs: WARM_UP_MS }, end.signal)
    const stopCapture = await capture(folder, kamailio.port)
    const peer = sipp(folder, kamailio.port, users)
    const before = process.cpuUsage()
    const points = await probe.measure({ endUs: 2, durationMs: INTERVAL_MS }, end.signal)
    const { user, system } = process.cpuUsage(before)
    const cpuMs = (user + system) / US_PER_MS
    const theirs = await peer
    await probe.close?.()
    const onTheWire = await stopCapture()
    const ours = points.flatMap(({ fields }) => fields['registration_request_delay_ms'] ?? [])
    const accepted = points.filter(({ fields }) => fields['accepted'] === true).length
    print('accounts accepted', `${accepted} of ${ACCOUNTS}`, '')
    print(
      'CPU of one core, over the minute',
      percent(cpuMs / INTERVAL_MS),
      `at most ${percent(TARGET_CPU_RATIO)}`,
    )
    print('CPU of one core, while checking', percent(cpuMs / SPREAD_MS), '')
    const own = ours.filter((value) => typeof value === 'number')
    for (const [name, share] of SHARES) {
      const [mine = NaN, its = NaN, wire = NaN, itsWire = NaN] = [
        own,
        theirs,
        onTheWire.filter(({ isOurs }) => isOurs).map(({ delayMs }) => delayMs),
        onTheWire.filter(({ isOurs }) => !isOurs).map(({ delayMs }) => delayMs),
      ].map((all) =>
        percentile(
          all.toSorted((a, b) => a - b),
          share,
        ),
      )
      print(`RRD ${name}: ours, on the wire`, `${mine.toFixed(2)} / ${wire.toFixed(2)} ms`, '')
      // What sipp itself says is in whole milliseconds, cut off: it is the capture that tells.
      const difference = `ours differs by ${Math.abs(mine - itsWire).toFixed(2)} ms, at most 1`
      const thoughtMs = [true, false].map((isOurs) =>
        percentile(
          Float64Array.from(
            onTheWire.filter((one) => one.isOurs === isOurs),
            ({ ownMs }) => ownMs,
          ).sort(),
          share,
        ),
      )
      const thought = thoughtMs.map((ms = NaN) => ms.toFixed(2)).join(' / ')
      print(
        `  challenge to answer: ours, sipp's ${name}`,
        `${thought} ms`,
        'waiting for the processor',
      )
      print(`RRD ${name}: sipp, on the wire`, `${its} / ${itsWire.toFixed(2)} ms`, difference)
    }
  } finally {
    await kamailio.close()
    await rm(folder, { recursive: true })
  }
}

interface WireDelay {
  readonly isOurs: boolean
  readonly delayMs: number
  /** Of that, from the challenge to the request that answers it: how long the client had to wait for the processor, and thought. */
  readonly ownMs: number
}

/** What tcpdump saw: of each check the time from the first REGISTER to the 200. Nothing where tcpdump or tshark is missing. */
async function capture(folder: string, port: number): Promise<() => Promise<WireDelay[]>> {
  const file = join(folder, 'wire.pcap')
  const args = ['-i', 'lo', '-U', '-w', file, 'udp', 'port', String(port)]
  const tcpdump = spawn('tcpdump', args, { stdio: 'ignore' })
  tcpdump.on('error', () => undefined)
  await delay(CAPTURE_START_MS)
  return async () => {
    await delay(CAPTURE_START_MS)
    tcpdump.kill('SIGINT')
    await once(tcpdump, 'exit')
    const fields = ['frame.time_epoch', 'sip.Call-ID', 'sip.Status-Code']
    const { stdout } = spawnSync(
      'tshark',
      [
        '-n',
        '-r',
        file,
        '-d',
        `udp.port==${port},sip`,
        '-T',
        'fields',
        ...fields.flatMap((field) => ['-e', field]),
      ],
      { encoding: 'utf8', maxBuffer: 1 << 28 },
    )
    const began = new Map<string, { startMs: number; challengedMs: number; ownMs: number }>()
    return stdout.split('\n').flatMap((line) => {
      const [time = '', callId = '', status = ''] = line.split('\t')
      const atMs = Number(time) * 1000
      const check = began.get(callId) ?? { startMs: atMs, challengedMs: NaN, ownMs: 0 }
      began.set(callId, check)
      if (status === '401') check.challengedMs = atMs
      else if (status === '') check.ownMs = atMs - check.challengedMs
      const { startMs, ownMs } = check
      return status === '200'
        ? [{ isOurs: !callId.includes('@'), delayMs: atMs - startMs, ownMs }]
        : []
    })
  }
}

async function openProbe(port: number, users: readonly string[]) {
  const accounts = users.map((user, index) => {
    return { name: `account-${index}`, user, password: `secret-${user}` }
  })
  const read = readProbeOptions(sipRegister, {
    registrar: `sip:${REALM}`,
    proxy: `sip:127.0.0.1:${port}`,
    accounts,
  })
  if ('complaints' in read) throw new Error(read.complaints.join('; '))
  const log = createLogger('bench', 'warn')
  const probe = read.create({ log, nowUs: () => Date.now() * US_PER_MS, report: () => undefined })
  await probe.open?.(new AbortController().signal)
  return probe
}

/** The delays sipp measures, first REGISTER to 200. */
async function sipp(folder: string, port: number, users: readonly string[]): Promise<number[]> {
  await delay(SPREAD_MS / ACCOUNTS / 2)
  await writeFile(join(folder, 'register.xml'), scenario())
  const rows = users.map(
    (user) => `${user};[authentication username=${user} password=secret-${user}]`,
  )
  await writeFile(join(folder, 'users.csv'), `SEQUENTIAL\n${rows.join('\n')}\n`)
  const args = [
    '-sf',
    'register.xml',
    '-inf',
    'users.csv',
    '-m',
    String(ACCOUNTS),
    '-i',
    '127.0.0.1',
  ]
  const rate = [
    '-r',
    String(ACCOUNTS),
    '-rp',
    String(SPREAD_MS),
    '-trace_rtt',
    '-rtt_freq',
    '1',
    '-nostdin',
  ]
  const child = spawn('sipp', [...args, ...rate, `127.0.0.1:${port}`], {
    cwd: folder,
    stdio: 'ignore',
  })
  await once(child, 'exit')
  const file = (await readdir(folder)).find((name) => name.endsWith('_rtt.csv'))
  if (file === undefined) return []
  const lines = (await readFile(join(folder, file), 'utf8')).trim().split('\n').slice(1)
  return lines.map((line) => Number(line.split(';')[1]))
}

function scenario(): string {
  const request = (cseq: number, credentials: string): string => `<![CDATA[
REGISTER sip:${REALM} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@${REALM}>;tag=[call_number]
To: <sip:[field0]@${REALM}>
Call-ID: [call_id]
CSeq: ${cseq} REGISTER
${credentials}User-Agent: sipp
Content-Length: 0

]]>`
  return `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="fetch bindings">
<send retrans="500" start_rtd="1">${request(1, '')}</send>
<recv response="401" auth="true"/>
<send retrans="500">${request(2, '[field1]\n')}</send>
<recv response="200" rtd="1"/>
</scenario>
`
}

function print(what: string, value: string, target: string): void {
  console.log(`${what.padEnd(36)}${value.padStart(20)}   ${target}`)
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(2)} %`
}
