import type { StoryName } from './stage.ts'

export interface Facts {
  readonly consoleUrl: string
  readonly folder: string
  readonly capture: boolean
  readonly gateway: string | undefined
  readonly calmS: number
  readonly story: StoryName
}

const TOLD = {
  loss: 'loss, then power, and again; --story power begins with power',
  power: 'power, then loss, and again',
} as const

/** The one screen that says what runs, where to look, how to stop and how to go on from here. */
export function welcome({ consoleUrl, folder, capture, gateway, calmS, story }: Facts): string {
  const measured = capture
    ? 'from the packets of 10 simulated calls (tcpdump on lo), and one test stream'
    : 'by active test streams (rtp-test over UDP): this user has no right to capture packets'
  const machine =
    gateway === undefined
      ? 'host and power of this machine'
      : `host and power of this machine, ping to its gateway ${gateway}`
  return `
  Kiestoon, a site in a box                                    dial tone for telephony over IP

  Look       ${consoleUrl}   (paths, power, alerts, agents; live)
  Runs       collector with embedded DuckDB store, on loopback only
             agent gw-hq         ${machine}, two UPSes (NUT)
             agent gw-carrier-b  at the far end of carrier-b
             lab                 20 phones in 10 calls, lossy wires, a UPS server, an on-call webhook
  Measured   ${measured}
  Stories    ${calmS} s of calm, then ${TOLD[story]}
             loss   hq -> carrier-b loses 8 %: watch the alert come here and in the console,
                    and go when the wire has healed, some two minutes later
             power  mains A of head office is lost: watch ${consoleUrl}/#power,
                    what hangs on it, what is redundant no more, and the minutes that are left
  Stop       Ctrl-C stops everything and removes the demonstration's data
  Logs       ${folder}/*.log

  Your own network
    node dist/agent/main.js once                        measure this machine now, no server needed
    node dist/collector/main.js run --data ./kiestoon   a collector of your own
    README.md, "On your own network"                    tokens, agents, capture rights, site file
`
}

/** A line of the story, with the time of day. */
export function storyLine(at: Date, text: string): string {
  return `${at.toTimeString().slice(0, 8)}  ${text}`
}
