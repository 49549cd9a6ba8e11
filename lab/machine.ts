import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

const TRY_CAPTURE_MS = 3000
const HEX_OCTET = /../g

/** Whether this user may capture on loopback: tried, not guessed. */
export async function mayCapture(): Promise<boolean> {
  const tcpdump = spawn('tcpdump', ['-i', 'lo', '-n', '-p', '-w', '/dev/null', 'udp port 9'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const answer = await Promise.race([
    new Promise<boolean>((resolve) => {
      tcpdump.on('error', () => {
        resolve(false)
      })
      tcpdump.on('exit', () => {
        resolve(false)
      })
      tcpdump.stderr.on('data', (chunk: Buffer) => {
        if (chunk.includes('listening on')) resolve(true)
      })
    }),
    delay(TRY_CAPTURE_MS, false, { ref: false }),
  ])
  tcpdump.kill('SIGKILL')
  return answer
}

/** The IPv4 default gateway from the kernel's routing table; undefined where there is none. */
export async function defaultGateway(): Promise<string | undefined> {
  const table = await readFile('/proc/net/route', 'utf8').catch(() => '')
  for (const line of table.split('\n').slice(1)) {
    const [, destination, gateway = ''] = line.split('\t')
    if (destination !== '00000000' || gateway === '00000000') continue
    const octets = gateway.match(HEX_OCTET) ?? []
    return octets
      .reverse()
      .map((octet) => parseInt(octet, 16))
      .join('.')
  }
  return undefined
}
