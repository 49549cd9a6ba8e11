import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Phone, type PhoneOptions } from './baresip.ts'
import { startProxy } from './proxy.ts'
import { CALLEE, CALLEE_V6, CALLER, CALLER_V6, ROUTER, fileIn, saying, type Rig } from './rig.ts'
import { sippCalls } from './sipp.ts'

export const TRUTH_FILE = 'truth.json'

const TALK_MS = 8000
const RTP_PORTS = '10000-10002'
const RELAY_PORT = 20_000
const RELAY_SEED = 20_061_101

/** One recording: what happens on the wire, and what we know to be true of it. */
export interface Scene {
  readonly name: string
  readonly about: string
  /** Where the tap is; the callee's interface unless said otherwise. */
  readonly tap?: 'router'
  /** The truth is written down in TRUTH_FILE. */
  readonly hasTruth?: boolean
  readonly play: (rig: Rig) => Promise<void>
}

const PCMA: Pick<PhoneOptions, 'codecs'> = { codecs: 'PCMA/8000/1' }

export const SCENES: readonly Scene[] = [
  {
    name: 'g711-loss',
    about: 'baresip, G.711 A-law, every 25th packet to the callee dropped by nftables',
    play: async (rig) => {
      rig.drop(`ip daddr ${CALLEE} udp dport ${RTP_PORTS} udp length 180 numgen inc mod 25 == 7`)
      await talk(rig, PCMA)
    },
  },
  {
    name: 'g722',
    about: 'baresip, G.722',
    play: async (rig) => talk(rig, { codecs: 'G722/16000/1', modules: ['g722.so'] }),
  },
  {
    name: 'opus-loss',
    about: 'baresip, Opus, 3 % of the packets to the callee dropped at random by nftables',
    play: async (rig) => {
      rig.drop(`ip daddr ${CALLEE} udp dport ${RTP_PORTS} numgen random mod 1000 < 30`)
      await talk(rig, { codecs: 'opus/48000/2', modules: ['opus.so'] })
    },
  },
  {
    name: 'srtp',
    about: 'baresip, G.711 in SRTP, keys in the SDP',
    play: async (rig) => talk(rig, { ...PCMA, encryption: 'srtp-mand', modules: ['srtp.so'] }),
  },
  {
    name: 'dtls-srtp',
    about: 'baresip, G.711 in SRTP, keys by DTLS',
    play: async (rig) =>
      talk(rig, { ...PCMA, encryption: 'dtls_srtp', modules: ['dtls_srtp.so', 'srtp.so'] }),
  },
  {
    name: 'ipv6',
    about: 'baresip, G.711 mu-law over IPv6',
    play: async (rig) => {
      await talk(rig, { codecs: 'PCMU/8000/1' }, { caller: CALLER_V6, callee: CALLEE_V6 })
    },
  },
  {
    name: 'sip-tcp',
    about: 'baresip, SIP over TCP, G.711',
    play: async (rig) => talk(rig, { ...PCMA, transport: 'tcp' }),
  },
  {
    name: 'telephone-event',
    about: 'baresip, G.711 with four digits as telephone events',
    play: async (rig) => {
      await talk(rig, PCMA, {}, async (caller) => {
        for (const digit of ['1', '1', '2', '#']) {
          await caller.command('sndcode', digit)
          await delay(600)
          await caller.command('sndcode', '\u0004')
          await delay(400)
        }
      })
    },
  },
  {
    name: 'hold',
    about: 'baresip, G.711, the caller holds for 3 s by re-INVITE and resumes',
    play: async (rig) => {
      await talk(rig, PCMA, {}, async (caller) => {
        await delay(2500)
        await caller.command('hold')
        await delay(3000)
        await caller.command('resume')
        await delay(2500)
      })
    },
  },
  {
    name: 'sipp',
    about: 'sipp, ten G.711 calls of 4 s with RTP from both ends, 2 % dropped in turn',
    play: async (rig) => {
      rig.drop(`ip daddr ${CALLEE} udp dport 6000-65535 numgen inc mod 50 == 11`)
      await sippCalls(rig, 10, 4000)
    },
  },
  {
    name: 'rtpengine',
    about: 'baresip through Kamailio and rtpengine: both legs of the call in one recording',
    tap: 'router',
    play: async (rig) => {
      await startProxy(rig)
      await talk(rig, { ...PCMA, proxy: `${ROUTER};lr` })
    },
  },
  {
    name: 'relay',
    hasTruth: true,
    about:
      'baresip, G.711 through a relay that delays, reorders, doubles and loses, and writes down what it did',
    play: async (rig) => {
      const truth = fileIn(rig, TRUTH_FILE)
      const program = fileURLToPath(new URL('./relay.ts', import.meta.url))
      rig.redirect(
        `ip daddr ${CALLEE} udp dport 10000`,
        `ip saddr ${CALLEE} udp sport 10000`,
        RELAY_PORT,
      )
      const relay = rig.run('router', [
        process.execPath,
        ...[
          '--import',
          fileURLToPath(new URL('../../test/support/typescript.js', import.meta.url)),
        ],
        ...[program, String(RELAY_PORT), CALLEE, '10000', String(RELAY_SEED), truth],
      ])
      await saying(relay, 'relaying')
      await talk(rig, PCMA)
      const ended = new Promise((resolve) => relay.once('exit', resolve))
      relay.kill('SIGTERM')
      await ended
    },
  },
]

async function talk(
  rig: Rig,
  options: Omit<PhoneOptions, 'space' | 'address'>,
  addresses: { readonly caller?: string; readonly callee?: string } = {},
  during: (caller: Phone) => Promise<void> = async () => {
    await delay(TALK_MS)
  },
): Promise<void> {
  const { caller: callerAddress = CALLER, callee: calleeAddress = CALLEE } = addresses
  const { proxy, ...own } = options
  const callee = await Phone.start(rig, { ...own, space: 'callee', address: calleeAddress })
  const caller = await Phone.start(rig, { ...options, space: 'caller', address: callerAddress })
  const host = calleeAddress.includes(':') ? `[${calleeAddress}]` : calleeAddress
  const transport = options.transport === 'tcp' ? ';transport=tcp' : ''
  const target = proxy === undefined ? host : (proxy.split(';')[0] ?? host)
  await caller.call(callee, `sip:phone-12345@${target}${transport}`)
  await during(caller)
  await caller.command('hangup')
  // The last reports and the answer to BYE.
  await delay(1000)
  await Promise.all([caller.stop(), callee.stop()])
}
