export const query = "How do bees communicate?";

export const passages = [
  "A hive has one queen, some hundred drones and many thousand workers.",
  "In summer a worker dies after about six weeks; those that hatch in autumn survive until spring.",
  "Bees tell each other by dancing where they have found flowers.",
  "Honey does not spoil, because it has little water and much sugar.",
];
