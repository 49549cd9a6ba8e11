import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
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

/** Where packages are unpacked that must not be installed. */
export const UNPACKED_FOLDER = fileURLToPath(new URL('../../.cache/debian', import.meta.url))

/** The same for programs whose packages conflict with others: apcupsd with nut-client. */
const UNPACKED = /** @type {const} */ ([['apcupsd', 'apcupsd libusb-0.1-4']])

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

/**
 * Fetches Debian packages and unpacks them into a folder of the project, with apt-get and dpkg-deb, root or not; installs nothing.
 * @returns {(readonly [program: string, debianPackage: string])[]} those that cannot be had
 */
export function unpackComponents() {
  const missing = UNPACKED.filter(([program]) => !isUnpacked(program))
  if (missing.length === 0 || !onPath('apt-get') || !onPath('dpkg-deb')) return missing
  const archives = join(UNPACKED_FOLDER, 'archives')
  mkdirSync(archives, { recursive: true })
  const packages = missing.flatMap(([, debianPackages]) => debianPackages.split(' '))
  say(`unpacking Debian packages: ${packages.join(' ')}`)
  // Lists of packages may be missing or old; only root may fetch them.
  if (!download(packages, archives) && process.getuid?.() === 0) {
    aptGet(['update', '-q'])
    download(packages, archives)
  }
  for (const archive of readdirSync(archives))
    spawnSync('dpkg-deb', ['-x', join(archives, archive), UNPACKED_FOLDER], { stdio: 'inherit' })
  rmSync(archives, { recursive: true })
  return missing.filter(([program]) => !isUnpacked(program))
}

/** @param {string} program */
function isUnpacked(program) {
  return existsSync(join(UNPACKED_FOLDER, 'sbin', program))
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

/**
 * Otherwise apt-get complains that its own user may not write there.
 * @param {readonly string[]} packages
 * @param {string} folder
 */
function download(packages, folder) {
  return aptGet(['download', '-q', '-o', 'APT::Sandbox::User=root', ...packages], folder)
}

/**
 * @param {string[]} args
 * @param {string} [cwd]
 */
function aptGet(args, cwd) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return (
    spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env, cwd }).status === 0
  )
}
