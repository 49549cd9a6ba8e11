import { useState } from 'preact/hooks'
import { Icon } from '../icon.tsx'
import { localTime } from '../time.tsx'
import { askWhatIf, type WhatIfAnswer } from './use-what-if.ts'
import { WhatStops } from './what-stops.tsx'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

interface Props {
  readonly fail: readonly string[]
  readonly atMs: number
  readonly nameOf: (id: string) => string
}

/** May it be taken out from then to then? GO or NO-GO. */
export function TakeOut({ fail, atMs, nameOf }: Props) {
  const [answer, setAnswer] = useState<WhatIfAnswer>()
  const [complaint, setComplaint] = useState('')
  const [from, setFrom] = useState(() => localInput(atMs))
  const [to, setTo] = useState(() => localInput(atMs + 2 * HOUR_MS))
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    const fromMs = Date.parse(from)
    const toMs = Date.parse(to)
    if (!(fromMs < toMs)) {
      setComplaint('The end must be after the beginning.')
      return
    }
    setComplaint('')
    setAnswer({ state: 'asking' })
    void askWhatIf(fail, { from: momentText(fromMs), to: momentText(toMs) }).then(setAnswer)
  }
  return (
    <form class="take-out" onSubmit={submit}>
      <h4>May I take it out?</h4>
      <label>
        From
        <input
          type="datetime-local"
          required
          value={from}
          onInput={(event) => {
            setFrom(event.currentTarget.value)
          }}
        />
      </label>
      <label>
        To
        <input
          type="datetime-local"
          required
          value={to}
          onInput={(event) => {
            setTo(event.currentTarget.value)
          }}
        />
      </label>
      <button type="submit">Ask</button>
      {complaint !== '' && (
        <p class="complaint" role="alert">
          {complaint}
        </p>
      )}
      <div class="answer" role="status">
        {answer?.state === 'failed' && <p class="complaint">{answer.reason}</p>}
        {answer?.state === 'answered' && (
          <>
            <p class={answer.answer.go ? 'go' : 'no-go'}>
              <Icon tone={answer.answer.go ? 'ok' : 'over'} />
              <strong>{answer.answer.go ? 'GO' : 'NO-GO'}</strong>
              <span>
                {fail.map(nameOf).slice(0, 3).join(', ')} out{' '}
                {windowWords(answer.answer.fromMs, answer.answer.toMs, atMs)}
              </span>
            </p>
            <WhatStops answer={answer.answer} nameOf={nameOf} />
            <p class="quiet">As everything stands now; ask again on the day.</p>
          </>
        )}
      </div>
    </form>
  )
}

function windowWords(fromMs: number | null, toMs: number | null, atMs: number): string {
  if (fromMs === null || toMs === null) return 'for good'
  return `from ${localTime(fromMs, atMs).slice(0, -3)} to ${localTime(toMs, atMs).slice(0, -3)}`
}

function momentText(ms: number): string {
  return new Date(ms).toISOString()
}

/** A moment as an input of type datetime-local has it: local time, to the minute. */
function localInput(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * MINUTE_MS
  return new Date(ms - offsetMs).toISOString().slice(0, 16)
}
