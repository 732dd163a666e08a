/**
 * The first job file of a project, chosen by the files in its directory. Pure.
 *
 * @module
 */

interface Starter {
  /** The file that identifies such a project. */
  readonly file: string
  readonly image: string
  readonly commands: readonly string[]
  /** Used instead if this file exists as well. */
  readonly instead?: { readonly file: string; readonly commands: readonly string[] }
}

/** The first one whose file exists is used. */
const STARTERS: readonly Starter[] = [
  {
    file: 'package.json',
    image: 'node:24',
    commands: ['npm install', 'npm test'],
    instead: { file: 'package-lock.json', commands: ['npm ci', 'npm test'] },
  },
  { file: 'Gemfile', image: 'ruby:3.4', commands: ['bundle install', 'bundle exec rake'] },
  { file: 'go.mod', image: 'golang:1.25', commands: ['go vet ./...', 'go test ./...'] },
  { file: 'Cargo.toml', image: 'rust:1', commands: ['cargo test'] },
  { file: 'pom.xml', image: 'maven:3-eclipse-temurin-21', commands: ['mvn --batch-mode verify'] },
  { file: 'build.gradle', image: 'gradle:9-jdk21', commands: ['gradle check'] },
  { file: 'build.gradle.kts', image: 'gradle:9-jdk21', commands: ['gradle check'] },
  { file: 'mix.exs', image: 'elixir:1.18', commands: ['mix deps.get', 'mix test'] },
  { file: 'composer.json', image: 'composer:2', commands: ['composer install', 'composer test'] },
  {
    file: 'pyproject.toml',
    image: 'python:3.13',
    commands: ['pip install . pytest', 'python -m pytest'],
  },
  {
    file: 'requirements.txt',
    image: 'python:3.13',
    commands: ['pip install -r requirements.txt pytest', 'python -m pytest'],
  },
  { file: 'Makefile', image: 'buildpack-deps:stable', commands: ['make', 'make check'] },
]

export interface Start {
  /** The file that decided; undefined for a directory with none of them. */
  readonly file: string | undefined
  readonly text: string
}

/** @param names of the files in the project's directory */
export function startFor(names: ReadonlySet<string>): Start {
  const starter = STARTERS.find(({ file }) => names.has(file))
  const { image = 'debian:stable', instead } = starter ?? {}
  const usual = starter?.commands ?? ['echo "Hello from $(hostname)"']
  const commands = instead !== undefined && names.has(instead.file) ? instead.commands : usual
  return { file: starter?.file, text: render(image, commands) }
}

function render(image: string, commands: readonly string[]): string {
  return `# A job of the agent: agent run job.yaml. All fields: agent schema.
image: ${image}   # without it, the commands run on this machine
workdir: .   # this directory, mounted in the container
# services: { db: "postgres:17" }   # reached by their names
# env: { CI: "true" }
# secrets: [API_TOKEN]   # taken from the environment of agent run, hidden in the log
commands:   # in one shell, up to the first that fails
${commands.map((command) => `  - ${command}\n`).join('')}# always: [echo "The job has $SEMAPHORE_JOB_RESULT"]   # also on_pass, on_fail
timeout: 30m
`
}
