"use strict";

// Says moments in the reader's own time and language; without it they stay in UTC.
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function tellTimes(page) {
  for (const time of page.querySelectorAll("time[datetime]")) {
    time.textContent = moments.format(new Date(time.dateTime));
    time.lang = moments.resolvedOptions().locale;
  }
}

tellTimes(document);
