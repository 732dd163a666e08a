import { type CommandDef, defineCommand } from 'citty'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { renderCommandUsage, renderProgramUsage } from '../../../lib/cli/usage.ts'

const test = suite('cli: usage')

const cook: CommandDef = {
  meta: { name: 'cook', description: 'Cook a meal.\n\nExit code: 0 when it was eaten' },
  args: {
    recipe: { type: 'positional', description: 'What to cook', required: true },
    spice: { type: 'string', default: 'salt', valueHint: 'NAME', description: 'What goes in' },
    light: { type: 'boolean', default: true, description: 'Light', negativeDescription: 'Dark' },
    fast: { type: 'boolean', description: 'No patience' },
  },
}

const program = defineCommand({
  meta: { name: 'kitchen', description: 'Feeds people.' },
  subCommands: {
    cook: () => Promise.resolve(cook),
    wash: defineCommand({ meta: { name: 'wash', description: 'Wash up.' } }),
    steam: defineCommand({ meta: { name: 'steam', description: 'Hiss.', hidden: true } }),
  },
})

test('a program is its commands, each with one line', async () => {
  assert.is(
    await renderProgramUsage(program),
    `Usage: kitchen COMMAND [OPTIONS]

Feeds people.

Commands:
  cook  Cook a meal.
  wash  Wash up.

Run kitchen COMMAND --help for details on a command.`,
  )
})

test('a command is its words, options with their defaults, and notes at the end', () => {
  assert.is(
    renderCommandUsage(program, cook),
    `Usage: kitchen cook RECIPE [OPTIONS]

Cook a meal.

Arguments:
  RECIPE  What to cook

Options:
  --spice NAME  What goes in (default: salt)
  --no-light    Dark
  --fast        No patience

Exit code: 0 when it was eaten`,
  )
})

test('a word that may be missing stands in brackets, and so does another program’s call', () => {
  const call: CommandDef = {
    meta: { name: 'call', description: 'Call.' },
    args: {
      whom: { type: 'positional', description: 'Whom', required: false },
      command: { type: 'positional', description: 'What to say', required: false },
      loud: { type: 'boolean', description: 'Loud' },
    },
  }

  assert.match(
    renderCommandUsage(program, call),
    /^Usage: kitchen call \[WHOM\] \[OPTIONS\] \[-- COMMAND\.\.\.\]\n/,
  )
})

test.run()
