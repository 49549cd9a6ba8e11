import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const CLOCKS = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate']

export default defineConfig(
  globalIgnores(['dist', '.tap']),
  {
    files: ['**/*.{ts,tsx,js}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true } }],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ImportDeclaration[source.value=/^\\..*\\.js$/]',
          message: 'Imports of our own TypeScript end in .ts.',
        },
      ],
    },
  },
  {
    // Time is an argument: only these may look at a clock (a worker thread is a program of its own).
    files: ['agent/**/*.ts', 'collector/**/*.ts', 'common/**/*.ts'],
    ignores: [
      'agent/agent.ts',
      'collector/collector.ts',
      // Reads times that people wrote; what time it is, it is told.
      'collector/written-times.ts',
      '**/scheduler.ts',
      '**/dispatch.ts',
      '**/main.ts',
      '**/*-worker.ts',
    ],
    rules: {
      'no-restricted-globals': ['error', ...CLOCKS],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
    },
  },
  {
    // Grafana's classic dashboard JSON is the one every Grafana imports; its builder is marked deprecated.
    files: ['dashboards/**/*.ts'],
    rules: { '@typescript-eslint/no-deprecated': 'off' },
  },
  {
    // Plain JavaScript is checked by tsc (checkJs); the type-aware rules do not see JSDoc casts.
    files: ['**/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['*.config.{js,ts}'],
    rules: { 'no-restricted-exports': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: '@tapjs/core', name: ['test'] },
            { from: 'package', package: 'tap', name: ['test'] },
          ],
        },
      ],
    },
  },
)
