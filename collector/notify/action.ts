import type { Breach } from '../evaluate/breach.ts'
import type { Action, NotificationKind } from './notifier.ts'

/** Only of what begins or grows worse: what is over is not to be blocked. */
export function actionOf(kind: NotificationKind, { labels, evidence }: Breach): Action | undefined {
  const { suggested_block: block } = evidence
  if (typeof block !== 'string' || (kind !== 'firing' && kind !== 'escalated')) return undefined
  const { account, account_id: accountId, source_ip: source, trunk, site } = labels
  return {
    block,
    ...(account === undefined ? {} : { account }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(source === undefined ? {} : { source }),
    ...(trunk === undefined ? {} : { trunk }),
    ...(site === undefined ? {} : { site }),
  }
}
