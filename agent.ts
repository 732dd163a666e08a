/**
 * The agent's command line: which commands there are, each loaded when it is asked for.
 *
 * @module
 */

import { type CommandDef, defineCommand } from 'citty'
import { dispatchCommand } from './lib/cli/dispatch.ts'
import { VERSION } from './lib/version.ts'

const main: CommandDef = defineCommand({
  meta: { name: 'agent', version: VERSION, description: 'Runs CI/CD jobs on this machine.' },
  subCommands: {
    run: () => import('./lib/cli/run.ts').then(({ runCommand }) => runCommand),
    serve: () => import('./lib/cli/serve.ts').then(({ serveCommand }) => serveCommand),
    start: () => import('./lib/cli/start.ts').then(({ startCommand }) => startCommand),
    attach: () => import('./lib/cli/attach.ts').then(({ attachCommand }) => attachCommand),
    doctor: () => import('./lib/cli/doctor.ts').then(({ doctorCommand }) => doctorCommand),
    report: () => import('./lib/cli/report.ts').then(({ reportCommand }) => reportCommand),
    install: () => import('./lib/cli/install.ts').then(({ installCommand }) => installCommand),
    uninstall: () =>
      import('./lib/cli/uninstall.ts').then(({ uninstallCommand }) => uninstallCommand),
    explain: () => import('./lib/cli/explain.ts').then(({ explainCommand }) => explainCommand),
    init: () => import('./lib/cli/init.ts').then(({ initCommand }) => initCommand),
    schema: () => import('./lib/cli/schema.ts').then(({ schemaCommand }) => schemaCommand),
    completion: () =>
      import('./lib/cli/completion.ts').then(({ createCompletionCommand }) =>
        createCompletionCommand(main),
      ),
    'man-page': () =>
      import('./lib/cli/man-page.ts').then(({ createManPageCommand }) =>
        createManPageCommand(main),
      ),
    'jump-point': () =>
      import('./lib/cli/jump-point.ts').then(({ jumpPointCommand }) => jumpPointCommand),
    version: () => import('./lib/cli/version.ts').then(({ versionCommand }) => versionCommand),
  },
})

void dispatchCommand(main, process.argv.slice(2))
