// Times, sizes and states as people read them.

const STATES: { [state: string]: string } = {
  cached: 'known already',
  submitted: 'queued',
  received: 'queued',
  collecting: 'taking results in',
  recording: 'recording results',
  blocked: 'not reached'
};

export function stateWord(state: string): string {
  return STATES[state] ?? state;
}

export function ago(seconds: number, now: number = Date.now() / 1000): string {
  const past = Math.max(0, now - seconds);
  if (past < 45) {
    return 'just now';
  }
  for (const [unit, length] of [['day', 86400], ['hour', 3600], ['minute', 60]] as const) {
    const count = Math.round(past / length);
    if (past >= length * 0.75) {
      return `${Math.max(1, count)} ${unit}${count > 1 ? 's' : ''} ago`;
    }
  }
  return 'just now';
}

export function duration(seconds: number): string {
  if (seconds < 60) {
    return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function commits(count: number): string {
  return count === 1 ? '1 commit' : `${count} commits`;
}

export function size(bytes: number): string {
  for (const [unit, length] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]] as const) {
    if (bytes >= length) {
      return `${(bytes / length).toPrecision(3)} ${unit}`;
    }
  }
  return `${bytes} B`;
}
