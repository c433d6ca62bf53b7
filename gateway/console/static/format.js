// Numbers, times and names as people read them.

const whole = new Intl.NumberFormat("en-GB", {maximumFractionDigits: 0});
const one = new Intl.NumberFormat("en-GB", {minimumFractionDigits: 1, maximumFractionDigits: 1});

export const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));
export const rate = (n) => (n === null || n === undefined ? "–" : n >= 100 || n === 0 ? whole.format(n) : one.format(n));

export function bytes(n) {
  if (n < 1000) return `${n} B`;
  for (const unit of ["kB", "MB", "GB"]) {
    n /= 1000;
    if (n < 1000 || unit === "GB") return `${n < 10 ? one.format(n) : whole.format(n)} ${unit}`;
  }
}

// 0.4 s, 12 s, 3 min 20 s, 5 h 10 min, 3 d 4 h
export function duration(seconds) {
  if (seconds < 10) return `${seconds ? one.format(seconds) : 0} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
  const min = Math.floor(s / 60);
  if (min < 1440) return min % 60 ? `${Math.floor(min / 60)} h ${min % 60} min` : `${min / 60} h`;
  const hours = Math.floor(min / 60);
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

export const ms = (n) => (n === null || n === undefined ? "" : n < 1000 ? `${n} ms` : duration(n / 1000));

// 14:03:07.120, always UTC, as everything else in the gateway is
export const clock = (iso) => iso.slice(11, 23).replace("Z", "");
// 2026-11-23 14:03:07 UTC
export const moment = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
export const ago = (iso) => `${duration(Math.max(0, (Date.now() - Date.parse(iso)) / 1000))} ago`;

// "ocpp2.0.1" -> "2.0.1"
export const version = (name) => name.replace(/^ocpp/, "");
// -> class of its colour
export const versionClass = (name) => `v${version(name).replaceAll(".", "")}`;
