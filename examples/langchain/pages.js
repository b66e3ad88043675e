export const pages = [
  { source: "travel.md", text: "Trains are booked by the office; flights need the approval of a manager." },
  { source: "office.md", text: "The office is open from seven to eight, and the alarm is set after that." },
  { source: "pets.md", text: "Pets are welcome on Fridays if they are quiet and everyone in the room agrees." },
  { source: "food.md", text: "Bring your own cup. Fruit and coffee are free; lunch is at noon." },
  { source: "vacation.md", text: "Everyone has thirty days of vacation. Ask your team before you book." },
  { source: "guests.md", text: "You may bring guests to the office if you register them at the front desk." },
  { source: "equipment.md", text: "New colleagues choose a laptop, and get a desk and a chair at home." },
  { source: "sick.md", text: "Call in the morning if you are ill. A certificate is needed from the third day." },
];
