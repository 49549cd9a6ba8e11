import { readFile } from 'node:fs/promises'

/**
 * What the kernel threw away of one UDP socket of ours because it was not read in time, as Linux tells in /proc/net/udp and udp6
 * (net/ipv4/udp.c, udp4_format_sock): local address and port in hexadecimal in the second column, the drops in the last.
 */

const FOLDER = '/proc/net'
const LOCAL_COLUMN = 1
const HEXADECIMAL = 16

/** Datagrams dropped since the socket was opened, of all sockets on this port; undefined where the kernel does not tell. */
export async function readSocketDrops(
  port: number,
  family: 'udp4' | 'udp6',
  folder = FOLDER,
): Promise<number | undefined> {
  const file = family === 'udp6' ? 'udp6' : 'udp'
  const text = await readFile(`${folder}/${file}`, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : dropsOnPort(text, port)
}

export function dropsOnPort(table: string, port: number): number | undefined {
  const [, ...lines] = table.split('\n')
  const drops = lines.flatMap((line) => {
    const columns = line.trim().split(/\s+/)
    const [, localPort = ''] = (columns[LOCAL_COLUMN] ?? '').split(':')
    return Number.parseInt(localPort, HEXADECIMAL) === port ? Number(columns.at(-1)) : []
  })
  return drops.length === 0 ? undefined : drops.reduce((sum, one) => sum + one, 0)
}
