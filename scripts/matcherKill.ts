import { killAgainAndAgain } from "../test/matcher/kill.ts";
import { Venue } from "../test/matcher/venue.ts";

const rounds = Number(process.argv[2] ?? "50");
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);

console.log(`killing the matcher ${rounds} times, seed ${seed}`);
const venue = await Venue.open();
try {
  const traders = await Promise.all(["1000000", "1000000", "1000000"].map((cash) => venue.trader(cash)));
  const { acknowledged } = await killAgainAndAgain(venue, traders, rounds, seed);
  console.log(`${acknowledged.size} acknowledged orders: none lost, none settled twice`);
} finally {
  await venue.close();
}
