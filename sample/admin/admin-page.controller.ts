import { Controller, Get, Headers, NotFoundException, Req, Res } from '@nestjs/common';
import { loadAdminAssets, sendAsset } from '../page/assets.js';
import type { Reply } from '../reply.js';

const ASSETS = loadAdminAssets();

/** The page of the administration. It shows nothing before an operator has shown the token, which its requests carry. */
@Controller('admin')
export class AdminPageController {
  @Get([...ASSETS.keys()])
  file(@Req() request: { url: string }, @Headers('if-none-match') known: string | undefined, @Res() reply: Reply): void {
    const asset = ASSETS.get(request.url.replace(/^\/admin\/?|\?.*$/gs, ''));
    if (asset === undefined) throw new NotFoundException();
    sendAsset(asset, known, reply);
  }
}
