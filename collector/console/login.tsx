import { useState } from 'preact/hooks'
import './login.css'

interface Props {
  /** Why the last try failed. */
  readonly complaint?: string | undefined
  readonly onToken: (token: string) => Promise<void>
}

/** Asks for the admin token. */
export function Login({ complaint, onToken }: Props) {
  const [busy, setBusy] = useState(false)
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (!(event.currentTarget instanceof HTMLFormElement)) return
    const token = new FormData(event.currentTarget).get('token')
    if (typeof token !== 'string' || token.trim() === '') return
    setBusy(true)
    void onToken(token.trim()).finally(() => {
      setBusy(false)
    })
  }
  return (
    <main class="login">
      <form onSubmit={submit} aria-labelledby="login-title">
        <h1 id="login-title">
          <img src="/icon.svg" alt="" width="40" height="40" />
          Kiestoon
        </h1>
        <input name="username" autocomplete="username" value="admin" readOnly hidden />
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          autofocus
          required
          spellcheck={false}
          aria-describedby="token-help"
          aria-invalid={complaint !== undefined}
        />
        {complaint !== undefined && (
          <p class="complaint" role="alert">
            {complaint}
          </p>
        )}
        <button type="submit" disabled={busy}>
          Open the console
        </button>
        <p class="quiet" id="token-help">
          The collector prints the admin token when it starts for the first time, and keeps it in
          the file <code>admin-token</code> of its data folder.
        </p>
      </form>
    </main>
  )
}
