const WHOLE = new Intl.NumberFormat('en');

/** @param {number} value */
export function number(value) {
  return WHOLE.format(Math.round(value));
}

/** Small rates keep a digit. @param {number} value */
export function rate(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : number(value);
}

/** @param {number} value */
export function bytes(value) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (value >= 1000 && i < units.length - 1) {
    value /= 1000;
    i++;
  }
  return `${value < 10 && i > 0 ? value.toFixed(1) : Math.round(value)} ${units[i]}`;
}

/** @param {number} seconds */
export function age(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export const TRANSPORTS = { websocket: 'WebSocket', bosh: 'BOSH' };
