/* What adapters need when a build's files are there, together like what they need before. */
export { default as colors } from 'picocolors'
export { urlInBucket } from '../files/why-left-out.js'
export { terminalOf } from '../report/progress.js'
export { publish } from './publish.js'
