// The alarm's sound, generated. It is one steady chord without beat or pulse: nothing in it can be taken for the heart,
// and it cannot lend its rhythm to a patient who hears it.
const TONES_HZ = [622, 784, 988];
const LOUD = 0.22;
const FADE_S = 0.03;

export class AlarmSound {
  constructor(onState) {
    this.context = null;
    this.playing = null;
    this.onState = onState;
    this.onState(false);
  }

  // Browsers let a page sound only after a key or a click: called at each.
  wake() {
    if (this.context === null) {
      this.context = new AudioContext();
      this.context.onstatechange = () => this.onState(this.context.state === "running");
    }
    if (this.context.state !== "running") this.context.resume();
    else this.onState(true);
  }

  start() {
    document.body.dataset.sound = "alarm";
    if (this.context === null || this.playing !== null) return;
    const gain = this.context.createGain();
    gain.gain.setValueAtTime(0, this.context.currentTime);
    gain.gain.linearRampToValueAtTime(LOUD, this.context.currentTime + FADE_S);
    gain.connect(this.context.destination);
    const tones = TONES_HZ.map((hz) => {
      const tone = this.context.createOscillator();
      tone.type = "triangle";
      tone.frequency.value = hz;
      tone.connect(gain);
      tone.start();
      return tone;
    });
    this.playing = { gain, tones };
  }

  stop() {
    document.body.dataset.sound = "";
    if (this.playing === null) return;
    for (const tone of this.playing.tones) tone.stop();
    this.playing.gain.disconnect();
    this.playing = null;
  }

  test() {
    if (this.playing !== null) return;
    this.wake();
    this.start();
    setTimeout(() => { if (!document.getElementById("alarm").open) this.stop(); }, 700);
  }
}
