/** A feed of the house that cannot be made to follow a path. */
export class FeedUnusable extends Error {
  readonly feed: string;

  constructor(feed: string, reason: string) {
    super(`the feed ${feed} cannot be crashed: ${reason}; drill on a chain whose feeds answer`);
    this.name = "FeedUnusable";
    this.feed = feed;
  }
}
