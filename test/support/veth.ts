import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import type { Test } from 'tap'

/** A cable out of this machine's network: what is played at its far end arrives at the near one, and nobody answers. */
export interface Cable {
  readonly near: string
  /** Takes both ends away; they are there again when laid. */
  remove(): void
  lay(): void
  /** Plays a capture file into the far end; resolves when the last packet is out. */
  play(file: string, ...options: string[]): Promise<void>
}

let cables = 0

/** Undefined, and the test skipped, where programs or rights are missing. Everything is gone again when the test is over. */
export function layCable(t: Test, programs: readonly string[] = []): Cable | undefined {
  for (const program of ['ip', 'tcpdump', ...programs])
    if (!isInstalled(program)) {
      t.pass('a cable', { skip: `${program} is missing` })
      return undefined
    }
  const near = `kl${process.pid}x${cables++}`.slice(-15)
  const ip = (...list: string[]) => execFileSync('ip', list, { stdio: 'pipe' })
  try {
    ip('netns', 'add', near)
  } catch {
    t.pass('a cable', { skip: 'no right to make a network namespace: run as root' })
    return undefined
  }
  const playing = new Set<ChildProcess>()
  t.teardown(() => {
    for (const child of playing) child.kill('SIGKILL')
    ip('netns', 'delete', near)
  })
  const lay = (): void => {
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', 'far', 'netns', near)
    // Nothing on it but what is played: the kernel would look for neighbours and routers.
    ip('link', 'set', near, 'addrgenmode', 'none')
    ip('-n', near, 'link', 'set', 'far', 'addrgenmode', 'none')
    ip('link', 'set', near, 'up')
    ip('-n', near, 'link', 'set', 'far', 'up')
  }
  lay()
  return {
    near,
    lay,
    remove: () => {
      ip('link', 'delete', near)
    },
    play: async (file, ...options) => {
      const list = ['netns', 'exec', near, 'tcpreplay', '-q', '-i', 'far', ...options, file]
      const child = spawn('ip', list, { stdio: ['ignore', 'ignore', 'pipe'] })
      playing.add(child)
      let words = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text))
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
      playing.delete(child)
      if (code !== 0) throw new Error(`tcpreplay ended with ${String(code)}: ${words}`)
    },
  }
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      return readdirSync(folder).includes(program)
    } catch {
      return false
    }
  })
}
