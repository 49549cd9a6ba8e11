import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { say } from '../../lab/setup.js'

/** What the tests need besides npm: the program looked for, and the Debian packages that have it. */
export const COMPONENTS = /** @type {const} */ ([
  ['influxd', 'influxdb'],
  ['tcpdump', 'tcpdump'],
  ['tshark', 'tshark'],
  ['nft', 'nftables'],
  ['ip', 'iproute2'],
  ['ping', 'iputils-ping'],
  ['upsd', 'nut-server'],
  ['baresip', 'baresip-core'],
  ['chromium', 'chromium'],
  ['tcpreplay', 'tcpreplay'],
  ['sipp', 'sip-tester'],
  ['editcap', 'wireshark-common'],
  ['kamailio', 'kamailio kamailio-tls-modules'],
  ['rtpengine', 'rtpengine-daemon'],
  ['snmpd', 'snmpd'],
  ['snmpget', 'snmp'],
  ['certutil', 'libnss3-tools'],
  ['scram', 'scram'],
])

/** Debian asks this program before it starts a service that was just installed; 101 means no. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d'
const INSTALL = ['install', '-y', '-q', '--no-install-recommends']

/**
 * Installs Debian packages for the programs that are not there, when root and with apt-get; starts no service.
 * @param {readonly (readonly [program: string, debianPackage: string])[]} components
 * @returns {(readonly [program: string, debianPackage: string])[]} those that cannot be had
 */
export function installComponents(components) {
  const missing = components.filter(([program]) => !onPath(program))
  if (missing.length === 0 || process.getuid?.() !== 0 || !onPath('apt-get')) return missing
  const packages = [...new Set(missing.flatMap(([, debianPackages]) => debianPackages.split(' ')))]
  say(`installing Debian packages: ${packages.join(' ')}`)
  const ownPolicy = !existsSync(SERVICE_POLICY)
  if (ownPolicy) writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    aptGet(['update', '-q'])
    // One unknown name makes apt-get refuse the whole list: then one by one.
    if (!aptGet([...INSTALL, ...packages])) for (const one of packages) aptGet([...INSTALL, one])
  } finally {
    if (ownPolicy) rmSync(SERVICE_POLICY, { force: true })
  }
  return missing.filter(([program]) => !onPath(program))
}

/** @param {string} program */
function onPath(program) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @param {string[]} args */
function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0
}
