import { Authenticator } from '../../agent/sip/authenticator.ts'
import { openSipClient } from '../../agent/sip-client/sip-client.ts'
import { newToken } from '../../agent/sip-client/token.ts'
import { REALM, type Kamailio } from './kamailio.ts'

const EXPIRES_S = 3600

/** Registers a contact for an account whose password is its name. */
export async function registerContact(
  { port }: Pick<Kamailio, 'port'>,
  user: string,
  contact: string,
  password = user,
  expiresS = EXPIRES_S,
): Promise<void> {
  const sip = openSipClient({ timeout: 2000 }, () => 0)
  const credentials = { username: user, revealPassword: () => password, newCnonce: newToken }
  let cseq = 0
  const { response } = await sip.client.ask(
    {
      method: 'REGISTER',
      uri: `sip:${REALM}`,
      requestUri: (uri) => uri,
      proxy: `sip:127.0.0.1:${port}`,
      authenticator: new Authenticator(credentials),
      headers: () => [
        ['From', `<sip:${user}@${REALM}>;tag=phone`],
        ['To', `<sip:${user}@${REALM}>`],
        ['Call-ID', newToken()],
        ['CSeq', `${++cseq} REGISTER`],
        ['Contact', `<${contact}>;expires=${expiresS}`],
      ],
    },
    new AbortController().signal,
  )
  sip.close()
  if (response?.statusCode !== 200)
    throw new Error(`not registered: ${response?.statusCode ?? 'silence'}`)
}
