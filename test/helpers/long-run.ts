/** Many more jobs than fit into `npm test`: what grows slowly shows then. */

/** `AGENT_TEST_JOBS=10000 npm test -- many`: as many on the host, a twentieth of it in containers. */
export const LONG_RUN_JOBS = Number(process.env['AGENT_TEST_JOBS'] ?? 0)

export const LONG_RUN_LIMIT_MS = 10_000_000
