import { execFile } from 'node:child_process'
import type { FarewellCause } from '../common/farewell.ts'
import type { EndReason } from '../common/service.ts'

/** Of both questions together: the machine may be gone in seconds. */
const LIMIT_MS = 500
/** What systemctl(1) is-system-running says of a machine that is up, whatever else is wrong with it. */
const UP = ['initializing', 'starting', 'running', 'degraded', 'maintenance']

/** Runs a program and gives what it printed; '' where there is none, or not in time. */
export type Ask = (program: string, ...args: readonly string[]) => Promise<string>

/**
 * Why the agent ends: on its own, or with the machine. A signal does not say, so the machine is asked: systemd, else the run level of
 * System V (0 halt, 6 reboot). Where neither knows, as in a container, the cause is unknown, which is not guessed.
 * @param reason of the end; undefined when the program around the agent ends it
 */
export async function causeOfEnd(
  reason: EndReason | undefined,
  ask: Ask = askProgram,
): Promise<FarewellCause> {
  switch (reason) {
    case 'error':
      return 'failure'
    case undefined:
    case 'SIGINT':
      return 'stop'
    case 'SIGTERM':
      break
  }
  const [state, levels] = await Promise.all([
    ask('systemctl', 'is-system-running'),
    ask('runlevel'),
  ])
  if (state === 'stopping') return 'shutdown'
  if (UP.includes(state)) return 'stop'
  const level = /^\S+ ([0-6S])$/.exec(levels)?.[1]
  if (level === undefined) return 'unknown'
  return level === '0' || level === '6' ? 'shutdown' : 'stop'
}

async function askProgram(program: string, ...args: readonly string[]): Promise<string> {
  return await new Promise((resolve) => {
    execFile(program, args, { timeout: LIMIT_MS, encoding: 'utf8' }, (_error, printed) => {
      // Its exit code only repeats what it printed.
      resolve(printed.trim())
    })
  })
}
