import { render } from 'preact'
import './console.css'
import './tables.css'
import './tables-phone.css'
import { App } from './app.tsx'

const root = document.getElementById('console')
if (root) render(<App />, root)
