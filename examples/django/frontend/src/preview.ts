import './preview.css'

/** Shows the chosen photo before it is uploaded. */
export function preview(input: HTMLInputElement): void {
  const [file] = input.files ?? []
  if (!file) return
  const image = new Image(96)
  image.className = 'preview'
  image.src = URL.createObjectURL(file)
  input.after(image)
}
