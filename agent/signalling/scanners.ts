/** Programs that search networks for phones to misuse, by what they call themselves; those that call themselves otherwise show otherwise. */
const SCANNERS: readonly (readonly [name: string, sign: RegExp])[] = [
  ['sipvicious', /friendly-(?:scanner|request)|sipvicious|svmap|svwar|svcrack/i],
  ['sipcli', /^sipcli/i],
  ['sip-scan', /sip-?scan/i],
  ['sundayddr', /sundayddr/i],
  ['sipsak', /^sipsak/i],
  ['iwar', /^iwar/i],
  ['sivus', /sivus/i],
  ['smap', /^smap\b/i],
  ['siparmyknife', /siparmyknife/i],
  ['vaxsip', /vaxsipuseragent/i],
  ['pplsip', /^pplsip/i],
  ['nmap', /\bnmap\b|^nm2?@/i],
  ['sippts', /^pplsip|sippts/i],
  ['zgrab', /zgrab|masscan/i],
]

/** The name of the scanner a User-Agent, or who a request says it is from, gives away. */
export function scannerIn(text: string): string | undefined {
  return SCANNERS.find(([, sign]) => sign.test(text))?.[0]
}
