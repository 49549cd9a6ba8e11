import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { PermanentError } from '../common/errors.ts'
import { readProbeOptions, unknownKind, type ProbeEntry } from './config.ts'
import { PROBES } from './probes/index.ts'

/** Where the kernel shows its IPv4 routes (proc(5)). */
const ROUTE_FILE = '/proc/net/route'
const RTF_UP = 0x1
const RTF_GATEWAY = 0x2
/** IANA: nut. */
const NUT_PORT = 3493
const CONNECT_LIMIT_MS = 500

/**
 * Probes that need no configuration, for a first look at the machine one is on: the host, its default gateway, its UPS if there is a
 * NUT server. With `kind`, that one only.
 * @throws PermanentError when there is no such probe, or it cannot do without a configuration
 */
export async function probesOfThisMachine(
  kind: string | undefined,
  intervalMs: number,
): Promise<readonly ProbeEntry[]> {
  const gateway = defaultGateway(await readFile(ROUTE_FILE, 'utf8').catch(() => ''))
  if (kind === 'ping' && gateway !== undefined)
    return [await entry('ping', { targets: [gateway] }, intervalMs)]
  if (kind !== undefined) return [await entry(kind, {}, intervalMs)]
  return await Promise.all([
    entry('host', {}, intervalMs),
    ...(gateway === undefined ? [] : [entry('ping', { targets: [gateway] }, intervalMs)]),
    ...((await isListening(NUT_PORT)) ? [entry('ups-nut', {}, intervalMs)] : []),
  ])
}

/** The gateway of the default route with the lowest metric, from the text of /proc/net/route. */
export function defaultGateway(routes: string): string | undefined {
  let gateway: string | undefined
  let lowest = Infinity
  for (const line of routes.split('\n').slice(1)) {
    const [, destination, via = '', flags = '', , , metric = '', mask] = line.trim().split(/\s+/)
    const isUsable = (parseInt(flags, 16) & (RTF_UP | RTF_GATEWAY)) === (RTF_UP | RTF_GATEWAY)
    const isDefault = Number(`0x${destination ?? ''}`) === 0 && Number(`0x${mask ?? ''}`) === 0
    if (!isUsable || !isDefault || !(Number(metric) < lowest)) continue
    lowest = Number(metric)
    // The four octets in the machine's own byte order: little-endian wherever Node runs on Linux but s390x.
    gateway = (via.match(/../g) ?? [])
      .map((octet) => parseInt(octet, 16))
      .reverse()
      .join('.')
  }
  return gateway
}

async function entry(kind: string, options: object, intervalMs: number): Promise<ProbeEntry> {
  const load = Object.hasOwn(PROBES, kind) ? PROBES[kind] : undefined
  if (load === undefined) throw new PermanentError('usage', unknownKind(kind))
  const read = readProbeOptions(await load(), options)
  if ('create' in read) return { kind, label: kind, intervalMs, create: read.create }
  const complaints = read.complaints.join('; ')
  throw new PermanentError('usage', `${kind} needs a configuration (--config): ${complaints}`)
}

async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: CONNECT_LIMIT_MS })
    const end = (is: boolean): void => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', () => {
      end(true)
    })
    socket.once('timeout', () => {
      end(false)
    })
    socket.once('error', () => {
      end(false)
    })
  })
}
