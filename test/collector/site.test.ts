import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { ConfigError, readConfig } from '../../common/config.ts'
import { parseAddress, parseCidr, subnetOf } from '../../collector/topology/address.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { ownSubnets, Site, type Observer } from '../../collector/topology/site.ts'

const FILE = `
parties: { ict: {}, telco: {}, carrier-a: {}, carrier-b: {} }
networks:
  hq: { cidr: [10.1.0.0/16, "2001:db8:1::/48"], site: hq, bearer: lan, owner: ict }
  hq-edge: { cidr: [10.255.1.0/24], site: hq, bearer: lan, owner: ict }
  branch: { cidr: [10.2.0.0/16, 192.168.1.0/24], site: branch, bearer: lan, owner: ict }
  branch-edge: { cidr: [10.2.255.0/24], site: branch, bearer: wan, owner: telco }
  shop: { cidr: [192.168.1.0/24], site: shop, bearer: lan, owner: ict }
  wide: { cidr: [10.0.0.0/8], site: shop }
  carrier-a: { cidr: [203.0.113.0/24], bearer: internet, owner: carrier-a }
  carrier-b: { cidr: [198.51.100.0/24], bearer: wan, owner: carrier-b }
agents:
  gw-hq: { at: hq-edge }
  gw-branch: { at: branch-edge }
  gw-carrier-b: { at: carrier-b }
`
const site = new Site(readConfig(siteFile, FILE, 'site.yaml'))

function observer(agent: string, at: string, subnets = ''): Observer {
  return { agent, site: at, subnets: ownSubnets(subnets) }
}

function complaints(text: string): readonly string[] {
  try {
    readConfig(siteFile, text, 'site.yaml')
    return []
  } catch (error) {
    return error instanceof ConfigError ? error.complaints : [String(error)]
  }
}

test('addresses and blocks are read exactly or not at all', async (t) => {
  t.equal(parseAddress('10.1.2.3'), 0xffff_0a01_0203n)
  t.equal(
    parseAddress('::ffff:10.1.2.3'),
    0xffff_0a01_0203n,
    'an IPv4-mapped address is the IPv4 one',
  )
  t.equal(parseAddress('::1'), 1n)
  t.equal(parseAddress('::'), 0n)
  t.equal(parseAddress('2001:db8::1'), 0x2001_0db8_0000_0000_0000_0000_0000_0001n)
  t.equal(parseAddress('fe80::1%eth0'), parseAddress('fe80::1'))
  for (const bad of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.4 ',
    ':::',
    '1::2::3',
    'g::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::1.2.3',
    '::12345',
    '1'.repeat(50),
    '1.2.3.4:5060',
  ])
    t.equal(parseAddress(bad), undefined, `"${bad}" is no address`)
  t.same(parseCidr('10.1.0.0/16'), { base: 0xffff_0a01_0000n, length: 112 })
  t.same(parseCidr('203.0.113.9'), { base: 0xffff_cb00_7109n, length: 128 })
  for (const bad of [
    '10.1.0.1/16',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    'x/8',
    '10.0.0.0/-1',
  ])
    t.equal(parseCidr(bad), undefined, `"${bad}" is no block`)
  t.same(subnetOf('10.1.2.3/16'), { base: 0xffff_0a01_0000n, length: 112 })
})

test('an address is in a network of the own site, else in the one with the longest prefix', async (t) => {
  const hq = observer('gw-hq', 'hq')
  t.equal(site.locate('10.1.2.3', hq), 'hq')
  t.equal(site.locate('::ffff:10.1.2.3', hq), 'hq')
  t.equal(site.locate('2001:db8:1:2::3', hq), 'hq')
  t.equal(site.locate('10.2.255.9', hq), 'branch-edge', 'longest prefix')
  t.equal(site.locate('10.2.254.9', hq), 'branch')
  t.equal(site.locate('203.0.113.77', hq), 'carrier-a')
  t.equal(
    site.locate('192.168.1.5', observer('x', 'branch')),
    'branch',
    'the same block at two sites',
  )
  t.equal(site.locate('192.168.1.5', observer('x', 'shop')), 'shop')
  t.equal(site.locate('10.1.2.3', observer('x', 'shop')), 'wide', 'own site before longest prefix')
})

test('an address nobody declared is of the own subnets, private or of the internet', async (t) => {
  const own = observer('gw-9', 'depot', '192.168.7.21/24 fd00:7::21/64 0.0.0.0/0 nonsense')
  const bare = new Site()
  t.equal(bare.locate('192.168.7.99', own), 'depot')
  t.equal(bare.locate('fd00:7::1', own), 'depot')
  for (const address of [
    '10.9.9.9',
    '172.31.0.1',
    '192.168.8.1',
    '100.64.0.1',
    '169.254.1.1',
    '127.0.0.1',
    '::1',
    'fe80::1',
    'fd12::1',
  ])
    t.equal(bare.locate(address, own), 'private', address)
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2001:4860::1'])
    t.equal(bare.locate(address, own), 'internet', `${address}: a default route is no subnet`)
  t.equal(bare.locate('not an address', own), 'unknown')
  t.equal(bare.observedAt(own), 'depot')
  t.equal(site.observedAt(observer('gw-hq', 'hq')), 'hq-edge')
  t.equal(site.observedAt(observer('constructor', 'hq')), 'hq', 'a name out of Object.prototype')
})

test('bearer and owner are those of the judged segment', async (t) => {
  const judged = (from: string, to: string, at: string): string => {
    const { bearer, owner } = site.segment(from, to, at)
    return `${bearer} ${owner}`
  }
  t.equal(
    judged('hq', 'carrier-b', 'hq-edge'),
    'lan ict',
    'outgoing at our own gateway: our LAN, not the carrier',
  )
  t.equal(judged('hq', 'carrier-b', 'hq'), 'lan ict')
  t.equal(
    judged('hq', 'carrier-b', 'carrier-b'),
    'wan carrier-b',
    'seen at the carrier: the carrier',
  )
  t.equal(judged('carrier-b', 'hq', 'hq-edge'), 'wan carrier-b', 'incoming: the carrier')
  t.equal(
    judged('carrier-a', 'carrier-b', 'carrier-b'),
    'wan carrier-b',
    'the receiving carrier answers',
  )
  t.equal(judged('hq', 'branch', 'branch-edge'), 'wan telco', 'between sites: the line')
  t.equal(judged('branch-edge', 'hq', 'hq-edge'), 'wan telco')
  t.equal(
    judged('hq', 'branch', 'branch'),
    'unknown unknown',
    'two LANs do not answer for the line between',
  )
  t.equal(judged('internet', 'hq', 'hq-edge'), 'internet unknown')
  t.equal(judged('internet', 'branch', 'branch-edge'), 'wan telco')
  t.equal(judged('private', 'hq', 'hq-edge'), 'unknown unknown')
  t.equal(judged('private', 'branch', 'branch-edge'), 'unknown unknown')
  t.equal(
    judged('depot', 'internet', 'depot'),
    'unknown unknown',
    'no site file: nobody is accused',
  )
  t.same(site.segment('hq', 'carrier-b', 'carrier-b'), {
    from: 'hq',
    to: 'carrier-b',
    at: 'carrier-b',
    bearer: 'wan',
    owner: 'carrier-b',
  })
})

test('every mistake in a site file is said at once, with its place', async (t) => {
  t.same(
    complaints(`parties: { ict: {} }
networks:
  hq: { cidr: [10.1.0.0/16, 10.1.0.1/16], site: hq, owner: itc }
  other: { cidr: [10.3.0.0/16], colour: red }
`),
    [
      'site.yaml:3:29: networks.hq.cidr.1: expected a block such as 10.1.0.0/16 or 2001:db8::/32, without bits set behind its length',
      'site.yaml:4:33: networks.other: unknown key "colour"',
    ],
  )
  t.same(
    complaints(`parties: { ict: {} }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, owner: itc }
  copy: { cidr: [10.1.0.0/16], site: hq }
agents: { gw-1: { at: hq-egde } }
components: { ups-1: { kind: ups, owner: nobody } }
`),
    [
      'site.yaml:3:47: networks.hq.owner: "itc" is not declared under parties',
      'site.yaml:6:42: components.ups-1.owner: "nobody" is not declared under parties',
      'site.yaml:5:23: agents.gw-1.at: "hq-egde" is not declared under networks',
      'site.yaml:4:18: networks.copy.cidr.0: 10.1.0.0/16 is already in network "hq"',
    ],
  )
  t.same(complaints(''), [], 'an empty file declares nothing')
})

test('rules learn of a network its site, its owner and whether its media is encrypted', async (t) => {
  t.equal(site.siteOf('hq-edge'), 'hq')
  t.equal(site.siteOf('carrier-a'), undefined, 'a carrier is no site of ours')
  t.equal(site.siteOf('depot'), 'depot', 'undeclared, it is a site by itself')
  t.equal(site.ownerOf('branch-edge'), 'telco')
  t.equal(site.ownerOf('depot'), 'unknown')
  const strict = new Site(
    readConfig(siteFile, 'networks: { a: { media: encrypted }, b: { media: any }, c: {} }', 's'),
  )
  t.same(
    ['a', 'b', 'c', 'nowhere'].map((network) => strict.expectsEncryption(network)),
    [true, false, false, false],
  )
  t.match(complaints('networks: { a: { media: secret } }'), [/networks\.a\.media/])
})

test('the example site file is right', async (t) => {
  const text = await readFile(new URL('../../collector/site.example.yaml', import.meta.url), 'utf8')
  const example = new Site(readConfig(siteFile, text, 'site.example.yaml'))
  const gateway = observer('gw-1', 'hq')
  t.equal(example.locate('203.0.113.5', gateway), 'carrier-a')
  t.equal(example.segment('carrier-a', 'hq-phones', example.observedAt(gateway)).owner, 'carrier-a')
})
